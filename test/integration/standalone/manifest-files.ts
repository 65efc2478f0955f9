/** Files of one manifest each, right and wrong ones, for the comparison with a real API server. */
import fc from 'fast-check';

export type MakeFile = (name: string) => string;

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** A VirtualMachineMemory with these lines in its spec. */
export const memoryFile = (name: string, lines: string, machine = `{uuid: ${uuid}}`, metadata = ''): string =>
  `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata:\n  name: ${name}\n${metadata}spec:\n  virtualMachine: ${machine}\n${lines}`;
/** A HypervisorHost with these lines in its spec. */
const hostFile = (name: string, lines: string): string =>
  `apiVersion: dimmer.dev/v1alpha1\nkind: HypervisorHost\nmetadata:\n  name: ${name}\nspec:\n${lines}`;

const sizes = [
  ...[
    '6Gi',
    '1536Mi',
    '64Mi',
    '63Mi',
    '64Ti',
    '65Ti',
    '1.5Gi',
    '1.5Mi',
    '1073741824',
    '1e9',
    '1G',
    '1048576k',
    '0',
    '-1Gi',
    '+2Gi',
  ],
  ...[
    '0644',
    '0o17',
    '0x40000000',
    '1_073_741_824',
    '089',
    '2147483648.0',
    '1.5',
    '.5Gi',
    '2.Gi',
    '5e9',
    '1048576e3',
    '128e6Mi',
  ],
  ...[
    '"6Gi"',
    "'1536Mi'",
    'Off',
    'yes',
    'y',
    '~',
    'null',
    '',
    '""',
    '[1Gi]',
    '{a: 1}',
    '1 Gi',
    '6GiB',
    '6gi',
    '1e1000',
    '1e-3',
    '0.5Ti',
  ],
  ...[
    '9223372036854775807',
    '9223372036854775808',
    '1e19',
    '1e100',
    '.inf',
    '.nan',
    '1:30',
    '2026-11-30',
    '|\n    6Gi',
    '!!str 1073741824',
    '1Ei',
    '2199023255552m',
    '2199023255552n',
    '68719476736',
    '6442450944.5',
    '107374182400u',
    '001Gi',
    '1073741824e0',
    '1073741824E0',
  ],
];
const machines = [
  ...[
    `{uuid: ${uuid}}`,
    `{uuid: ${uuid.toUpperCase()}}`,
    '{uuid: 12345678}',
    '{name: db}',
    '{name: db, uuid: x}',
    '{}',
    '~',
    '[]',
  ],
  ...[
    '{name: "a/b"}',
    '{name: "a\\nb"}',
    '{name: ""}',
    `{uuid: ${uuid}, Name: x}`,
    '{name: 5}',
    '{name: no}',
    `{uuid: ${uuid}, name: ~}`,
  ],
];
const words = [
  'Exact',
  'exact',
  'Nearest',
  'Replace',
  'Divisible',
  'Whole',
  'Live',
  'LiveAndConfig',
  'Up',
  'Required',
  'BestEffort',
  'Off',
  '"Off"',
  'Correct',
  'Report',
  'Retain',
  'Release',
  '~',
  '1',
  '""',
];
const blocks = ['128Mi', '2Gi', '3Mi', '1Mi', '64Gi', '65Gi', '128', '128M', '0128Mi', '"128Mi"', '2Ki', '~', '1.5Gi'];
const pages = ['2Mi', '1Gi', '64Ki', '4Ki', '16Gi', '17Gi', '2M', '"1Gi"', '~', '2048Ki'];
const durations = [
  '30s',
  '2m',
  '1m30s',
  '1h',
  '61m',
  '0s',
  '1s',
  '30',
  '1h1s',
  's',
  '""',
  '1500ms',
  '~',
  '90s',
  '1:30',
  '0h0m1s',
];
const booleans = ['true', 'false', 'yes', 'Off', 'no', 'on', 'y', 'N', '"true"', '1', '~', 'TRUE', 'True'];
const names = ['hv-1', 'HV', '""', 'a.b', 'a..b', '-a', '5', '~', 'a_b', `"${'a'.repeat(254)}"`];

/** Fields whose values are left to chance. */
export const randomFields = new Set<string>();
const line = (indent: number, field: string, values: readonly string[]): fc.Arbitrary<string> => {
  randomFields.add(field);
  return fc.constantFrom(...values).map((value) => `${' '.repeat(indent)}${field}: ${value}\n`);
};
const some = (lines: readonly fc.Arbitrary<string>[], weight = 3): fc.Arbitrary<string> =>
  fc.tuple(...lines.map((each) => fc.option(each, { nil: '', freq: weight }))).map((texts) => texts.reverse().join(''));

const memoryLines = some([
  line(2, 'memory', sizes),
  fc.oneof(
    { weight: 5, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: line(2, 'shrinkPolicy', words) },
    { weight: 1, arbitrary: line(2, 'growPolicy', words) },
    { weight: 1, arbitrary: line(2, 'rounding', words) },
    { weight: 1, arbitrary: line(2, 'guestSafety', words) },
    { weight: 1, arbitrary: line(2, 'granularity', blocks) },
    { weight: 1, arbitrary: line(2, 'pageSize', pages) },
    { weight: 1, arbitrary: line(2, 'unplugTimeout', durations) },
    { weight: 1, arbitrary: line(2, 'driftPolicy', words) },
    { weight: 1, arbitrary: line(2, 'deletionPolicy', words) },
    { weight: 1, arbitrary: line(2, 'persistence', words) },
    { weight: 1, arbitrary: line(2, 'releaseTimeout', durations) },
    { weight: 1, arbitrary: line(2, 'paused', booleans) },
  ),
  fc.oneof(
    { weight: 6, arbitrary: fc.constant('') },
    { weight: 2, arbitrary: fc.constantFrom(...names).map((name) => `  hostRef: {name: ${name}}\n`) },
    { weight: 1, arbitrary: fc.constantFrom('  colour: red\n', '  hostRef: hv\n', '  # nothing\n') },
  ),
]);
const metadataLines = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[
        '  labels: {a: b}\n',
        '  labels: {a: 1}\n',
        '  labels: {a: yes}\n',
        '  labels: {"a b": c}\n',
        '  labels: {a: "x y"}\n',
        '  labels: ~\n',
      ],
      ...[
        '  labels: {a/b/c: d}\n',
        '  annotations: {a: "x y"}\n',
        '  annotations: {a: 1}\n',
        '  annotations: {A.B/c: d}\n',
        '  annotations: {a: ~}\n',
      ],
      ...[
        '  colour: red\n',
        '  namespace: default\n',
        '  generation: 5\n',
        '  labels: {a: ~}\n',
        '  annotations: {dimmer.dev/paused: "true"}\n',
      ],
    ),
  },
);

const hostLines = fc
  .tuple(
    line(2, 'address', [
      ...[
        'https://hv:9443',
        'https://[::1]:9443',
        'http://hv:9443',
        'https://hv:99999',
        'https://hv',
        'hv:9443',
        '""',
        '5',
        'https://hv:9443/',
      ],
      ...['https://hv:9443/x', 'https://u@hv:9443', 'https://h v:9443', '"https://hv:9443"'],
    ]),
    fc.constantFrom(
      ...[
        '{from: All}',
        '{from: None}',
        '{from: all}',
        '{from: Selector}',
        '{from: Selector, selector: {}}',
        '{from: All, selector: {}}',
        '{}',
        '~',
      ],
      ...['{from: Selector, selector: {matchLabels: {a: b}}}', '{from: Selector, selector: {matchLabels: {a: 1}}}'],
      '{from: Selector, selector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}',
      '{from: Selector, selector: {matchExpressions: [{key: a, operator: In}]}}',
      '{from: Selector, selector: {matchExpressions: [{key: a, operator: Exists, values: []}]}}',
      '{from: Selector, selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}',
      '{from: Selector, selector: {matchExpressions: [{key: "", operator: Exists}]}}',
      '{from: Selector, selector: {matchExpressions: [~]}}',
    ),
    some(
      [
        line(2, 'memoryReserve', sizes),
        line(2, 'namespaceLimit', sizes),
        line(2, 'memoryOvercommit', [
          '"1.0"',
          '1.0',
          '"0.5"',
          '"0.4"',
          '"16"',
          '"16.1"',
          '""',
          '"1,5"',
          '~',
          '"1.12345"',
          '1',
        ]),
        line(2, 'maxConcurrentOperations', ['1', '4', '64', '65', '0', '-1', '1.5', '1.0', '"4"', '~', '0x10', '010']),
        line(2, 'cordoned', booleans),
        line(2, 'requireOwner', booleans),
        line(2, 'tlsServerName', names),
      ],
      1,
    ),
  )
  .map(([address, allowed, rest]) => `${address}  allowedNamespaces: ${allowed}\n${rest}`);

/** Mostly one thing that may be wrong, in lines as people write them. */
const oneFile: fc.Arbitrary<MakeFile> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        memoryLines,
        fc.oneof(
          { weight: 5, arbitrary: fc.constant(machines[0] ?? '') },
          { weight: 1, arbitrary: fc.constantFrom(...machines) },
        ),
        metadataLines,
      )
      .map(
        ([lines, machine, metadata]) =>
          (name: string) =>
            memoryFile(name, lines, machine, metadata),
      ),
  },
  { weight: 2, arbitrary: hostLines.map((lines) => (name: string) => hostFile(name, lines)) },
);

/** Everything after the name, which tells whose the file is, and must stay. */
const afterName = (text: string): number => text.indexOf('\n', text.indexOf('  name: ')) + 1;
/** kubectl refuses a null for a label in a list, which it takes elsewhere: not told apart here. */
const inList = (text: string): string =>
  text.replaceAll(': ~}', ': ""}').trimEnd().replaceAll(/^/gm, '  ').replace(/^ {2}/, '- ');

/** The same in another shape. */
const shapes: readonly ((text: string) => string)[] = [
  (text) => `apiVersion: v1\nkind: List\nitems:\n${inList(text)}\n`,
  (text) =>
    `apiVersion: v1\nitems:\n${inList(text)}\n  status:\n    conditions: []\nkind: List\nmetadata:\n  resourceVersion: ""\n`,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `# what it is for\n---\n\n${text}\n...\n`,
  (text) => text.replaceAll(/^( *)(\w+):/gm, '$1"$2":'),
  (text) => text.replaceAll(/^( *)(\w+):/gm, "$1'$2' :"),
  (text) => text.replaceAll(/: (?=[^\n])/g, ':   ').replaceAll('\n', '  # so\n\n'),
  (text) => text.trimEnd(),
];
const spoilers = [
  ...Array.from(':-#{}[],&*!|>\'"%@`?~'),
  '\t',
  ' ',
  '\n',
  '\n\n',
  '\n  ',
  '\n    ',
  '---\n',
  '\u00A0',
  '\u2028',
  '\u0085',
  '\u0001',
  '😀',
  '\\',
];

/** The same cut short somewhere, or with a character more or less. */
const spoiled = (make: MakeFile): fc.Arbitrary<MakeFile> =>
  fc
    .tuple(fc.nat(10_000), fc.constantFrom('cut', 'without', 'with', 'instead'), fc.constantFrom(...spoilers))
    .map(([where, how, piece]) => (name) => {
      const text = make(name);
      const first = afterName(text);
      const at = first + (where % Math.max(1, text.length - first));
      if (how === 'cut') return text.slice(0, at);
      const rest = text.slice(how === 'with' ? at : at + 1);
      return `${text.slice(0, at)}${how === 'without' ? '' : piece}${rest}`;
    });

/** Mostly a right one: what is wrong with it is to be the shape. */
const usualFile: fc.Arbitrary<MakeFile> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<MakeFile>(
      (name) => memoryFile(name, '  memory: 6Gi\n  guestSafety: BestEffort\n  paused: true\n'),
      (name) =>
        memoryFile(name, '  hostRef:\n    name: hv-1\n  memory: "1536Mi"\n', '\n    name: db', '  labels: {a: b}\n'),
      (name) =>
        hostFile(name, '  address: https://hv:9443\n  allowedNamespaces:\n    from: All\n  memoryOvercommit: "1.5"\n'),
    ),
  },
  { weight: 1, arbitrary: oneFile },
);

/** A file as somebody, or something, may have written it. */
export const randomFile: fc.Arbitrary<MakeFile> = fc.oneof(
  { weight: 4, arbitrary: oneFile },
  {
    weight: 2,
    arbitrary: fc.tuple(usualFile, fc.constantFrom(...shapes)).map(
      ([make, shape]) =>
        (name: string) =>
          shape(make(name)),
    ),
  },
  { weight: 3, arbitrary: usualFile.chain(spoiled) },
);

const ofSpec =
  (lines: string): MakeFile =>
  (name) =>
    memoryFile(name, lines);

/** Each value of each field by itself, and the shapes that files have. */
export const corpus: readonly MakeFile[] = [
  ...sizes.map((size) => ofSpec(`  memory: ${size}\n`)),
  ...machines.map(
    (machine): MakeFile =>
      (name) =>
        memoryFile(name, '  hostRef: {name: hv-1}\n', machine),
  ),
  ...blocks.map((block) => ofSpec(`  granularity: ${block}\n`)),
  ...pages.map((page) => ofSpec(`  pageSize: ${page}\n`)),
  ...durations.map((duration) => ofSpec(`  unplugTimeout: ${duration}\n`)),
  ...booleans.map((boolean) => ofSpec(`  paused: ${boolean}\n`)),
  ...words.map((word) => ofSpec(`  guestSafety: ${word}\n`)),
  ofSpec('  Memory: 2Gi\n'),
  ofSpec('\tmemory: 2Gi\n'),
  ofSpec('  memory: *nowhere\n'),
  ofSpec('  memroy: ~\n  guestSafety:\n'),
  (name) => `${memoryFile(name, '  memory: 2Gi\n', undefined, '  label:\n')}data: ~\n`,
  (name) => memoryFile(name, '  memory: 2Gi\n', undefined, '  labels: {a:?b}\n'),
  ...['\u0000', '\u0001', '\u000b', '\u000c', '\u001b', '\u007f', '\u0080', '\u009f', '\ufffe', '\uffff', '\ufeff'].map(
    (character): MakeFile =>
      (name) =>
        memoryFile(name, `  memory: 2Gi # ${character}\n`),
  ),
  ...['\t', '~', '\u00a0', '\ud7ff', '\ue000', '\ufffd', '\u{10ffff}'].map(
    (character): MakeFile =>
      (name) =>
        memoryFile(name, `  memory: 2Gi # ${character}\n`),
  ),
  ofSpec('  memory: 2Gi\n  : 2\n'),
  ofSpec('  memory: 2Gi\n  ~: 2\n'),
  ofSpec('  ?\n    memory\n  : 2Gi\n'),
  ofSpec('  memory: &size 2Gi\n  granularity: *size\n'),
  ofSpec('  memory: 2Gi # as much as that\n'),
  ofSpec('  memory: "2Gi\n'),
  (name) => `---\n---\n# nothing\n---\n${memoryFile(name, '  memory: 2Gi\n')}---\n`,
  (name) => `%YAML 1.1\n---\n${memoryFile(name, '  memory: 2Gi\n')}`,
  (name) => `${memoryFile(name, '  memory: 2Gi\n')}...\n`,
  (name) => memoryFile(name, '  memory: 2Gi\n').replaceAll('\n', '\r\n'),
  (name) => `\uFEFF${memoryFile(name, '  memory: 2Gi\n')}`,
  (name) =>
    JSON.stringify({
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'VirtualMachineMemory',
      metadata: { name },
      spec: { virtualMachine: { uuid }, memory: '2Gi' },
    }),
  (name) => memoryFile(name, '  memory: 2Gi\n').replace('kind: VirtualMachineMemory', 'kind: VirtualMachine'),
  (name) => memoryFile(name, '  memory: 2Gi\n').replace('v1alpha1', 'v1beta1'),
  (name) => `${memoryFile(name, '  memory: 2Gi\n')}data: 1\n`,
  (name) => `${memoryFile(name, '  memory: 2Gi\n')}status: {observedGeneration: 3}\n`,
  (name) => `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: ${name}}\n`,
  (name) => `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: ${name}}\nspec: ~\n`,
  (name) => memoryFile(name, '', `{uuid: ${uuid}}`, '  resourceVersion: ""\n  uid: ""\n'),
];
