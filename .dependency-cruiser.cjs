/**
 * The import rules of the house (docs/architecture.md). Arrows point downward only.
 * A room that isn't in `mayImport` may import nothing of ours.
 */
const mayImport = {
  memory: [],
  runtime: [],
  planner: ['memory'],
  api: ['memory'],
  libvirt: ['memory', 'runtime'],
  host: ['memory', 'runtime'],
  agent: ['memory', 'host', 'runtime'],
  drivers: ['memory', 'host', 'agent', 'libvirt', 'runtime'],
  kubernetes: ['memory', 'api', 'runtime'],
  standalone: ['memory', 'api', 'runtime'],
  controllers: ['memory', 'api', 'planner', 'host', 'runtime'],
  preview: ['memory', 'api', 'planner', 'host', 'libvirt'],
  view: ['memory', 'api', 'planner', 'preview'],
  adopt: ['memory', 'host'],
  pki: [],
  operator: ['memory', 'api', 'preview', 'view', 'standalone', 'runtime'],
  console: ['memory', 'api', 'planner', 'preview', 'view', 'operator', 'kubernetes', 'runtime'],
};

/** The page is bundled for a browser: of the house it may have what is pure. What it says to the server is said in one place. */
const pageRules = [
  {
    name: 'page-is-pure-but-for-the-browser',
    severity: 'error',
    from: { path: '^src/console/page/' },
    to: { path: '^src/', pathNot: '^src/(console/page|memory|planner|api|preview|view)/|^src/console/wire\\.ts$' },
  },
  {
    name: 'page-reaches-nothing-of-node',
    severity: 'error',
    from: { path: '^src/console/page/' },
    to: { dependencyTypes: ['core'] },
  },
  {
    name: 'page-reaches-pure-rooms-only',
    comment: 'preview reads domains, too: what the page takes of it must not lead there.',
    severity: 'error',
    from: { path: '^src/console/page/' },
    to: {
      path: '^src/',
      pathNot: '^src/(console/page|memory|planner|api|preview|view)/|^src/console/wire\\.ts$',
      reachable: true,
    },
  },
  {
    name: 'nobody-imports-the-page',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/console/page/' },
    to: { path: '^src/console/page/' },
  },
];

const roomRules = Object.entries(mayImport).map(([room, allowed]) => ({
  name: `room-${room}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
}));

/** A package, wherever npm put it. */
const npm = (name) => `node_modules/${name}/`;
const only = (name, packageName, rooms) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${rooms.join('|')})/` },
  to: { path: npm(packageName) },
});

/** What is one kind's stays with it: the kinds of resources know each other only by what is shared. */
const kinds = ['memory', 'host'];
const kindRules = [...kinds, 'shared'].map((kind) => ({
  name: `controllers-${kind}`,
  severity: 'error',
  from: { path: `^src/controllers/${kind}/` },
  to: { path: '^src/controllers/', pathNot: `^src/controllers/(${kind}|shared)/` },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    ...kindRules,
    ...pageRules,
    only('page-library-stays-home', '(preact|@preact)', ['console/page']),
    only('kubernetes-client-stays-home', '@kubernetes/client-node', ['kubernetes']),
    only('xml-writer-stays-home', 'xmlbuilder2', ['libvirt']),
    only('xml-reader-stays-home', 'fast-xml-parser', ['libvirt']),
    only('http-server-stays-home', 'fastify', ['agent', 'console']),
    only('cel-stays-home', '@bufbuild/cel', ['standalone']),
    {
      name: 'pure-rooms-touch-nothing',
      comment: 'No I/O, no package, no node built-in.',
      severity: 'error',
      from: { path: '^src/(memory|planner|api|preview|view|adopt|console/page/model)/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'rules-touch-nothing',
      comment: 'What may be done is judged from what was gathered. A revision is a hash.',
      severity: 'error',
      from: { path: '^src/host/rules/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'packages-are-imported-by-name',
      comment: "In the bundle `import('package')` of a CommonJS package has no names (docs/adr/0010-the-package.md).",
      severity: 'error',
      from: { path: '^src/' },
      to: { dynamic: true, dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] },
    },
    {
      name: 'console-has-no-credentials',
      comment: 'It asks a cluster through a kubectl of the user: who reads kubeconfigs is none of its business.',
      severity: 'error',
      from: { path: '^src/(console|operator)/' },
      to: { path: '^src/kubernetes/(connect|cluster)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/', pathNot: '\\.d\\.ts$' }, to: {} },
    { name: 'nothing-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'src-does-not-know-tests', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|scripts)/' } },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
