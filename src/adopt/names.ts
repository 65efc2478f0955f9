/** Names for the manifests of VMs: what Kubernetes takes, and every one once. Pure. */

/** As a name of a file and a label it has to be short, too (RFC 1123, a label). */
const longest = 63;

/**
 * The VM's own name as far as it may be one: lower case letters, digits and `-`; '' where nothing is left of it. Letters
 * with marks lose them (`Büro` becomes `buro`).
 */
function validName(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return trim(plain.replaceAll(/[^a-z0-9-]+/g, '-').slice(0, longest));
}

const trim = (name: string): string => name.replaceAll(/^-+|-+$/g, '');

type Named = { readonly uuid: string; readonly name: string };

/**
 * A name for each VM, by uuid. It is the VM's own where that is valid. Of several that come to the same, those get the
 * beginning of their uuid behind it that had to be changed; so it doesn't depend on the order in which they are named.
 */
export function nameManifests(machines: readonly Named[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const give = (uuid: string, name: string): void => {
    names.set(uuid, name);
    taken.add(name);
  };
  const wanted = machines
    .map(({ uuid, name }) => ({ uuid, name, valid: validName(name) }))
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  for (const { uuid, name, valid } of wanted)
    if (name === valid && valid !== '' && !taken.has(valid)) give(uuid, valid);
  const changed = wanted.filter(({ uuid }) => !names.has(uuid));
  for (const { uuid, valid } of changed) {
    const isAlone = changed.filter((other) => other.valid === valid).length === 1 && !taken.has(valid);
    if (isAlone && valid !== '') give(uuid, valid);
    else give(uuid, distinct(valid === '' ? 'vm' : valid, uuid, taken));
  }
  return names;
}

/** As much of the uuid as makes it one of its own. */
function distinct(base: string, uuid: string, taken: ReadonlySet<string>): string {
  const digits = uuid.replaceAll('-', '').toLowerCase();
  for (let length = 8; length < digits.length; length++) {
    const name = `${trim(base.slice(0, longest - length - 1))}-${digits.slice(0, length)}`;
    if (!taken.has(name)) return name;
  }
  return digits;
}
