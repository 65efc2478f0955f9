/** Which domains the host's admin lets the agent see. */

/** Whether a domain of that name is admitted. */
export type Admits = (name: string) => boolean;

/** A test for a shell-like pattern over the whole name: `*` is any text, `?` one character, all else itself. */
export function compilePattern(pattern: string): Admits {
  const source = pattern
    .replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.');
  const regex = new RegExp(`^${source}$`, 'su');
  return (name) => regex.test(name);
}
