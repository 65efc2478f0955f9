/**
 * Standalone takes the manifests that a real API server takes, through a real kubectl, and refuses those that it refuses:
 * the text of files, from a corpus of what people and tools write, and from what chance makes of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadSpecSchemas } from '../../../src/standalone/crds.ts';
import { readManifests } from '../../../src/standalone/manifest.ts';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { shareControlPlane } from '../../lab/shared-planes.ts';
import { describeLab } from '../../lab/describe.ts';

import { corpus, memoryFile, randomFields, randomFile } from './manifest-files.ts';

type File = { readonly name: string; readonly text: string };
type Taken = { readonly metadata: { readonly name: string }; readonly spec: unknown };

/** `kubectl apply` of a folder with these files. */
async function apply(plane: ControlPlane, files: readonly File[], ...options: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'dimmer-manifests-'));
  try {
    for (const { name, text } of files) writeFileSync(join(folder, `${name}.yaml`), text);
    return await plane.kubectl(['apply', ...options, '-o', 'name', '-f', folder], { timeoutMs: 300_000 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const everything = ['get', 'virtualmachinememories,hypervisorhosts', '--all-namespaces', '-o'];

/** The specs that the API server would keep, by the name of the resource, which is that of its file. */
async function askApiServer(plane: ControlPlane, files: readonly File[]) {
  const { stdout: names, stderr } = await apply(plane, files, '--dry-run=server');
  const taken = new Set([...names.matchAll(/\/(\S+)/g)].map(([, name]) => name));
  // Of an object among others that are refused a dry run prints no more than the name.
  await apply(
    plane,
    files.filter(({ name }) => taken.has(name)),
  );
  const { items } = JSON.parse(await plane.kubectlOk([...everything, 'json'])) as { readonly items: readonly Taken[] };
  const kept = items.filter(({ metadata }) => taken.has(metadata.name));
  return { specs: new Map(kept.map(({ metadata, spec }) => [metadata.name, spec])), stderr };
}

await describeLab(
  'standalone beside an API server',
  () => {
    let plane: ControlPlane;
    const schemas = loadSpecSchemas();

    beforeAll(async () => {
      plane = await shareControlPlane();
    });
    afterAll(() => plane.stop());

    /** Differences, in words; what both take must have the same spec, defaults included. */
    async function compare(files: readonly File[]): Promise<readonly string[]> {
      const { specs: theirs, stderr } = await askApiServer(plane, files);
      // Each has its share, else nothing is compared.
      expect(theirs.size).toBeGreaterThan(files.length / 5);
      expect(theirs.size).toBeLessThan((files.length * 4) / 5);
      return files.flatMap(({ name, text }) => {
        const { manifests, problems } = readManifests(`${name}.yaml`, text, schemas);
        const [ours] = manifests;
        const their = theirs.get(name);
        if (ours === undefined && problems.some(({ message }) => isStricter(message, text))) return [];
        if ((ours === undefined) !== (their === undefined)) {
          const said = stderr.split('\n').filter((line) => line.includes(name));
          // There is none but the one that all have.
          if (their === undefined && said.some((line) => /namespaces ".*" not found/.test(line))) return [];
          const words = ours === undefined ? `refused (${problems[0]?.message ?? 'nothing in it'})` : 'taken';
          return [`${words} by standalone only:\n${text}\n${said.join('\n')}`];
        }
        if (ours !== undefined && JSON.stringify(sorted(ours.spec)) !== JSON.stringify(sorted(their))) {
          return [`read differently:\n${text}\n${JSON.stringify(ours.spec)}\n${JSON.stringify(their)}`];
        }
        return [];
      });
    }

    test('what people and tools write', async () => {
      const files = corpus.map((make, index) => ({ name: `c${index}`, text: make(`c${index}`) }));
      expect(await compare(files)).toEqual([]);
    });

    test('a key that is there twice is an error here; kubectl takes the last one without a word', async () => {
      const files = ['memory', '"memory"'].map((key, index) => {
        const name = `twice${index}`;
        return { name, text: memoryFile(name, `  memory: 2Gi\n  ${key}: 3Gi\n`) };
      });
      const { specs } = await askApiServer(plane, files);
      expect([...specs.values()]).toMatchObject([{ memory: '3Gi' }, { memory: '3Gi' }]);
      const ours = files.flatMap(({ name, text }) => readManifests(name, text, schemas).problems);
      expect(ours).toMatchObject([
        { line: 8, column: 3, message: 'Map keys must be unique' },
        { line: 8, column: 3, message: 'Map keys must be unique' },
      ]);
    });

    test('chance has to do with every field', () => {
      const byHand = ['virtualMachine', 'hostRef', 'allowedNamespaces'];
      const fields = Object.values(schemas).flatMap(({ properties }) => Object.keys(properties ?? {}));
      expect(fields.filter((field) => !randomFields.has(field) && !byHand.includes(field))).toEqual([]);
    });

    test('what chance makes of it', async () => {
      const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
      const files = fc
        .sample(randomFile, { numRuns: Number(process.env['FUZZ_RUNS'] ?? 400), seed })
        .map((make, index) => ({ name: `r${index}`, text: make(`r${index}`) }));
      const different = await compare(files);
      expect(different, `FUZZ_SEED=${seed}`).toEqual([]);
    });

    test('what kubectl get prints of all of it is read as it was kept', async () => {
      const text = await plane.kubectlOk([...everything, 'yaml']);
      const { items } = JSON.parse(await plane.kubectlOk([...everything, 'json'])) as {
        readonly items: readonly Taken[];
      };
      expect(items.length).toBeGreaterThan(100);
      const { manifests, problems } = readManifests('all.yaml', text, schemas);
      expect(problems).toEqual([]);
      expect(manifests.map(({ metadata, spec }) => [metadata.name, sorted(spec)])).toEqual(
        items.map(({ metadata, spec }) => [metadata.name, sorted(spec)]),
      );
    });

    test('a VM can not be changed to another one', async () => {
      await plane.kubectlOk(['apply', '-f', '-'], { input: memoryFile('stays', '  memory: 2Gi\n') });
      const other = memoryFile('stays', '  memory: 2Gi\n').replace('3d2a11', '3d2a12');
      const { code, stderr } = await plane.kubectl(['apply', '--dry-run=server', '-f', '-'], { input: other });
      expect([code, stderr]).toEqual([1, expect.stringContaining("virtualMachine can't be changed")]);
    });
  },
  ['control-plane'],
);

/**
 * Said with its place, and unusual enough: a flow collection that goes on at the margin, odd ends of lines, a comment that touches
 * what is quoted, a `?` that kubectl takes for a mark; and an annotation that is no text, which kubectl loses without a word
 * where it stands in a List.
 */
const isStricter = (message: string, text: string): boolean =>
  /sufficiently indented|ends a line for kubectl|Comments must be separated|takes it for a mark/.test(message) ||
  (/^metadata\.annotations\..*must be a text/.test(message) && /kind: List|"kind": ?"List"/.test(text));

/** Without the order of members. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
