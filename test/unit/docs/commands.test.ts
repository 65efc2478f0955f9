/** Whatever the documents tell people to type is run by a test, from their text, or is named here with the reason. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DocumentName, documents, type Snippet, snippetsNamed, snippetsOf } from '../../support/documents.ts';

const tests = join(import.meta.dirname, '../..');

/** `documented('FILE', 'PART')` in the tests. */
const claimed = globSync(join(tests, '**/*.ts')).flatMap((file) => {
  const calls = readFileSync(file, 'utf8').matchAll(/\bdocumented\(\s*'([^']+)',\s*(?:'([^']+)'|`([^`]+)`|"([^"]+)")/g);
  return [...calls].map(([, document, one, two, three]) => ({ document, part: one ?? two ?? three ?? '' }));
});

const asName = "names what a sentence is about, isn't to be typed as it stands";
const edits = 'opens an editor; a test writes the file that it is told to hold';
const notRun: readonly (readonly [DocumentName, string, string])[] = [
  ['docs/user-guide.md', '`virsh list --all --uuid`', 'prints the uuids of VMs; tests ask libvirt for them'],
  ['README.md', 'npm run demo:real', 'minutes of guests; their parts are what the tests here run'],
  ['README.md', 'npm ci && npm test', 'runs this test'],
  ['README.md', '`npm run lab`', 'waits for Ctrl-C; the demo and the tests in test/integration/lab use the same lab'],
  ['README.md', '`kubectl apply`', asName],
  ['README.md', '`kubectl apply -k deploy/`', asName],
  ['README.md', '`dimmer plan`', asName],
  ['README.md', '`dimmer agent check`', asName],
  ['docs/user-guide.md', '`kubectl apply`', asName],
  ['docs/user-guide.md', '`dimmer agent check`', asName],
  ['docs/user-guide.md', '`dimmer standalone`', asName],
  ['docs/user-guide.md', '`dimmer status`', asName],
  ['docs/user-guide.md', '`kubectl dimmer`', asName],
  [
    'docs/user-guide.md',
    '`kubectl dimmer console`',
    'goes on until Ctrl-C; console.test.ts of integration/kubernetes runs it',
  ],
  ['docs/user-guide.md', '`dimmer console`', 'goes on until Ctrl-C; console.test.ts of unit/cmd runs it'],
  ['docs/user-guide.md', '`npm run demo -- --console`', 'goes on until Ctrl-C; demo.test.ts runs it'],
  ['README.md', '`npm run demo -- --console`', 'goes on until Ctrl-C; demo.test.ts runs it'],
  ['README.md', '`dimmer console`', asName],
  ['docs/planner.md', '`kubectl dimmer plan`', asName],
  ['docs/user-guide.md', '`dimmer adopt`', asName],
  ['docs/user-guide.md', '`virsh edit`', edits],
  ['README.md', 'kubectl, GitOps', 'a picture'],
  ['docs/operations.md', '`dimmer agent check`', asName],
  [
    'docs/operations.md',
    'docker buildx build',
    'no registry to push to is reached; podman makes the image of the last stage (test/integration/line)',
  ],
  ['docs/operations.md', '`kubectl dimmer hosts`', asName],
  ['docs/operations.md', '`helm test`', asName],
  ['docs/operations.md', '`helm upgrade`', asName],
  ['docs/operations.md', '`helm uninstall`', asName],
  ['docs/operations.md', '`dimmer standalone`', asName],
  ['docs/operations.md', '`dimmer status`', asName],
  ['docs/operations.md', '`dimmer hosts`', asName],
  [
    'docs/operations.md',
    '`node scripts/packages.ts --architecture arm64 --node FILE`',
    'needs the Node.js of another architecture; a test makes packages of a stand-in for it',
  ],
  ['docs/operations.md', '`kubectl dimmer`', asName],
  ['docs/operations.md', '`kubectl apply`', asName],
  ['docs/operations.md', '`kubectl apply -R -f`', asName],
  ['docs/operations.md', '`kubectl get -o yaml`', asName],
  ['docs/operations.md', '`kubectl get -o json`', asName],
  ['docs/operations.md', '`npm run demo`', asName],
  ['docs/operations.md', '`systemctl start`', asName],
  ['docs/operations.md', '`systemctl status`', asName],
  ['docs/operations.md', '`systemctl stop`', asName],
  [
    'docs/operations.md',
    '`groupadd --system libvirt`',
    'for hosts without the group, and the machine of the lab has it',
  ],
  ['docs/operations.md', '`systemctl edit virtqemud.socket`', edits],
  ['docs/operations.md', '`systemctl edit dimmer-agent`', edits],
  ['docs/planner.md', '`dimmer plan`', asName],
  ['docs/planner.md', '`dimmer plan --status`', asName],
  ['docs/planner.md', '`npm run bench -- planner`', 'a minute of full load; what it measures is in its own output'],
];

const key = ({ document, language, text }: Snippet) => `${document}, ${language}: ${text}`;
const named = (parts: readonly (readonly [DocumentName, string])[]) =>
  new Set(parts.flatMap(([document, part]) => snippetsNamed(document, part)).map(key));
const isDocument = (name: string | undefined): name is DocumentName => documents.some((document) => document === name);

const run = named(claimed.flatMap(({ document, part }) => (isDocument(document) ? [[document, part] as const] : [])));
const left = named(notRun.map(([document, part]) => [document, part] as const));

test('the documents have commands, and tests run them', () => {
  expect(documents.flatMap(snippetsOf).length).toBeGreaterThan(40);
  expect(run.size).toBeGreaterThan(20);
});

describe.each(documents)('%s', (document) => {
  test.each(snippetsOf(document).map((snippet) => [snippet.text.split('\n')[0] ?? '', key(snippet)] as const))(
    '%s',
    (_, name) => {
      expect([run.has(name), left.has(name)].filter(Boolean), 'run by a test, or left out with a reason').toEqual([
        true,
      ]);
    },
  );
});

test.each(notRun)('%s: %s is still there to be left out', (document, part) => {
  expect(snippetsNamed(document, part)).not.toEqual([]);
});
