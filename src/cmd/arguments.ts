/** Reading command lines: node:util's parseArgs, with one clear sentence for every mistake. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { fail, type Result, succeed } from '../memory/result.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

export type Arguments = {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
};

/** Reads `argv` by `options`; `--opt value` and `--opt=value`. The error is one line that names the argument. */
export function readArguments(
  argv: readonly string[],
  options: Options,
  allowPositionals = false,
): Result<Arguments, string> {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals, strict: true });
    return succeed({ values: { ...values }, positionals });
  } catch (error) {
    // parseArgs words its errors for people; only the first sentence is about the argument.
    const text = error instanceof Error ? error.message : String(error);
    return fail((text.split(/\.\s|\n/)[0] ?? text).replace(/\.$/, ''));
  }
}

export type HostPort = { readonly host: string; readonly port: number };

/** Reads `host:port`, `[::1]:port` or `:port` (all addresses); port 0 lets the system choose. null: neither. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return null;
  return { host: match[1] ?? (match[2] === '' ? '::' : (match[2] ?? '::')), port };
}
