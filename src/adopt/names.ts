/** Names for the manifests of VMs: what Kubernetes takes, and every one once. Pure. */

/** As a name of a file and a label it has to be short, too (RFC 1123, a label). */
const longest = 63;

/**
 * The VM's own name as far as it may be one: lower case letters, digits and `-`; '' where nothing is left of it. Letters
 * with marks lose them (`Büro` becomes `buro`).
 */
function validName(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return trim(plain.replaceAll(/[^a-z0-9]+/g, '-').slice(0, longest));
}

const trim = (name: string): string => name.replaceAll(/^-+|-+$/g, '');

type Named = { readonly uuid: string; readonly name: string };

/**
 * A name for each VM, by uuid. It is the VM's own where that is valid. Of several that come to the same, those get the
 * beginning of their uuid behind it that had to be changed; so it doesn't depend on the order in which they are named.
 */
export function nameManifests(machines: readonly Named[]): ReadonlyMap<string, string> {
  const wanted = machines.map(({ uuid, name }) => ({ uuid, name, valid: validName(name) }));
  const counts = new Map<string, number>();
  for (const { valid } of wanted) counts.set(valid, (counts.get(valid) ?? 0) + 1);
  const taken = new Set(wanted.filter(({ name, valid }) => name === valid).map(({ valid }) => valid));
  const names = new Map<string, string>();
  for (const { uuid, name, valid } of wanted.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    const isAlone = valid !== '' && (name === valid || counts.get(valid) === 1);
    const given = isAlone ? valid : distinct(valid === '' ? 'vm' : valid, uuid, taken);
    taken.add(given);
    names.set(uuid, given);
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
