/**
 * What Argo CD makes of objects by a health check in Lua. The interpreter is the one that it has in it (gopher-lua), with the
 * libraries that it opens for a script from a ConfigMap: base, package, table and a little of os (util/lua/lua.go, runLua).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOk } from '../lab/run.ts';

export type Health = { readonly status: string; readonly message: string };

/** A value as Lua writes it. */
function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return `{${value.map(literalOf).join(',')}}`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, inner]) => `[${literalOf(key)}]=${literalOf(inner)}`)
      .join(',')}}`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  // Each byte that isn't plain by its number: Lua 5.1 knows no other escapes.
  const bytes = [...Buffer.from(value)].map((byte) =>
    byte < 32 || byte > 126 || byte === 34 || byte === 92
      ? `\\${String(byte).padStart(3, '0')}`
      : String.fromCharCode(byte),
  );
  return `"${bytes.join('')}"`;
}

const sandbox = `
local print, loadfile, assert = print, loadfile, assert
getmetatable("").__index = nil
string, io, math, debug, coroutine, channel = nil, nil, nil, nil, nil, nil
os = { time = os.time, date = os.date }
local function judge(object)
  obj = object
  local health = assert(loadfile(SCRIPT))()
  print("status " .. health.status)
  print("message " .. health.message)
end
`;

/** @param lua the interpreter. @param script the health check */
export async function judgeByArgo(lua: string, script: string, objects: readonly object[]): Promise<readonly Health[]> {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-lua-'));
  try {
    const program = join(directory, 'judge.lua');
    const calls = objects.map((object) => `judge(${literalOf(object)})`);
    writeFileSync(program, [`SCRIPT = ${literalOf(script)}`, sandbox, ...calls, ''].join('\n'));
    const printed = await runOk(lua, [program], { timeoutMs: 30_000 });
    return [...printed.matchAll(/^status (.*)\nmessage (.*)$/gm)].map(([, status = '', message = '']) => ({
      ...{ status, message },
    }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
