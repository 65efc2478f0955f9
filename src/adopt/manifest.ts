/** The text of a manifest of an adopted VM. Pure. */
import type { Adoption } from './judge.ts';

/** Where a VM was found, and how the manifest is to name it. */
export type ManifestTarget = {
  readonly name: string;
  /** null: the manifest names none. */
  readonly namespace: string | null;
  /** null: the VM is looked for on all hosts, and followed when it moves. */
  readonly hostRef: string | null;
};

export type AdoptedFrom = {
  readonly machine: { readonly uuid: string; readonly name: string };
  /** For people: `qemu:///system`, or the agent's address. */
  readonly source: string;
  readonly atMs: number;
};

const width = 100;

/** One document of YAML, with what there is to know in comments. Ends with a line break. */
export function writeManifest(
  adoption: Extract<Adoption, { kind: 'manifest' }>,
  { name, namespace, hostRef }: ManifestTarget,
  { machine, source, atMs }: AdoptedFrom,
): string {
  const at = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  const said = [
    `VM ${machine.name} as 'dimmer adopt' found it at ${at} (${source}):`,
    `${adoption.summary}.`,
    ...adoption.remarks.map(({ kind, text }) => `${kind === 'warning' ? 'WARNING' : 'Note'}: ${text}.`),
  ];
  const lines = [
    ...said.flatMap((text) => wrapComment(printable(text))),
    'apiVersion: dimmer.dev/v1alpha1',
    'kind: VirtualMachineMemory',
    'metadata:',
    `  name: ${scalar(name)}`,
    ...(namespace === null ? [] : [`  namespace: ${scalar(namespace)}`]),
    'spec:',
    '  virtualMachine:',
    `    uuid: ${machine.uuid}`,
    ...(hostRef === null ? [] : ['  hostRef:', `    name: ${scalar(hostRef)}`]),
    ...(adoption.memory === null ? [] : [`  memory: ${adoption.memory}`]),
    ...(adoption.rounded ? ['  rounding: Up'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** What a name may be and YAML 1.1, which kubectl reads, takes for something else. */
const words = new Set(['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null', 'nan', 'inf']);

/** A name as a text: what begins with a letter is no number, whatever follows. */
const scalar = (text: string): string =>
  /^[a-z][-a-z0-9.]*$/.test(text) && !words.has(text) ? text : JSON.stringify(text);

/** A VM's name may have any letters: none of them ends the comment. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');

/** In lines of a comment; what follows the first is indented. */
function wrapComment(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width && line.trim() !== '#') {
      lines.push(line);
      line = '#  ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
