/** What a manifest that was written in place must be looked at twice for: it may be half of one. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { manifestOnly } from './asked.ts';
import { isObject } from '../memory/shape.ts';
import { parseQuantity } from '../memory/quantity.ts';
import type { Manifest } from './manifest.ts';

type Before = {
  readonly spec: object;
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined };
};

/**
 * Whether a manifest may go on: it is new, so that nothing tells what it leaves out (half a VM's name is another VM's); its
 * last line has no end; it asks for less memory than before, or doesn't say something that was said before.
 * @param before undefined: there was none
 */
export function mayBeHalf(before: Before | undefined, now: Manifest, text: string): boolean {
  if (before === undefined || !text.endsWith('\n')) return true;
  const annotations = manifestOnly(before.metadata.annotations ?? {});
  return (
    shrinks(memoryIn(before.spec), memoryIn(now.spec)) ||
    hasLost(before.spec, now.given, now.spec) ||
    Object.keys(annotations).some((key) => !Object.hasOwn(now.metadata.annotations, key))
  );
}

function memoryIn(spec: object): number | null {
  const memory: unknown = 'memory' in spec ? spec.memory : undefined;
  const parsed = typeof memory === 'string' || typeof memory === 'number' ? parseQuantity(String(memory)) : null;
  return parsed?.ok === true ? parsed.value : null;
}

const shrinks = (before: number | null, now: number | null): boolean => before !== null && now !== null && now < before;

/** Whether a member is no longer written, and something else counts for it now. */
function hasLost(before: unknown, given: unknown, now: unknown): boolean {
  if (!isObject(before) || isDeepStrictEqual(before, now)) return false;
  const [written, counts] = [isObject(given) ? given : {}, isObject(now) ? now : {}];
  return Object.entries(before).some(([name, value]) => {
    const isWritten = written[name] !== undefined && written[name] !== null;
    return isWritten ? hasLost(value, written[name], counts[name]) : !isDeepStrictEqual(value, counts[name]);
  });
}
