/** What whoever installs the chart may set: one table, of which values.yaml, its schema and the chart's README are made. */
import { Document, isCollection, isMap, type Scalar } from 'yaml';
import { deployed, documentsIn, type Manifest } from './manifests.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** One value. The first sentence of `about` must do in a table. */
type ChartValue = {
  /** With dots. */
  readonly path: string;
  readonly about: string;
  readonly initial: unknown;
  readonly schema: JsonSchema;
};

type Deployment = Manifest & {
  readonly spec: {
    readonly replicas: number;
    readonly template: {
      readonly spec: {
        readonly priorityClassName: string;
        readonly containers: readonly { readonly image: string; readonly resources: object }[];
        readonly volumes: readonly { readonly secret: { readonly secretName: string } }[];
      };
    };
  };
};

type PodMonitor = { readonly spec: { readonly podMetricsEndpoints: readonly [{ readonly interval: string }] } };

const text: JsonSchema = { type: 'string' };
const name: JsonSchema = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', maxLength: 253 };
const yesOrNo: JsonSchema = { type: 'boolean' };
const object: JsonSchema = { type: 'object' };
const words: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } };
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

/** All values, in the order in which they are shown. What deploy/ says is what they are when nothing is set. */
export function chartValues(): readonly ChartValue[] {
  const { spec } = deployed('Deployment') as Deployment;
  const { containers, volumes, priorityClassName } = spec.template.spec;
  const [container] = containers;
  const { value: priority } = deployed('PriorityClass') as Manifest & { readonly value: number };
  const { spec: budget } = deployed('PodDisruptionBudget') as Manifest & { readonly spec: { minAvailable: number } };
  const { spec: network } = deployed('NetworkPolicy') as Manifest & { readonly spec: { egress: readonly object[] } };
  if (container === undefined) throw new Error('the Deployment has no container');
  const [monitored] = (documentsIn('deploy/monitoring/pod-monitor.yaml')[0]?.toJS() as PodMonitor).spec
    .podMetricsEndpoints;
  const [repository = ''] = container.image.split(':');
  return [
    { path: 'image.repository', about: 'Where the image is, without a tag.', initial: repository, schema: text },
    { path: 'image.tag', about: "Its tag; the chart's version where none is set.", initial: '', schema: text },
    {
      ...{ path: 'image.digest', about: 'Its digest, which then counts instead of a tag.', initial: '' },
      schema: { type: 'string', pattern: '^(sha256:[a-f0-9]{64})?$' },
    },
    {
      ...{ path: 'image.pullPolicy', about: 'When it is pulled.', initial: 'IfNotPresent' },
      schema: { enum: ['Always', 'IfNotPresent', 'Never'] },
    },
    {
      ...{ path: 'imagePullSecrets', about: 'Secrets of the registry: `[{ name: ... }]`.', initial: [] },
      schema: list({ type: 'object', required: ['name'], properties: { name } }),
    },
    {
      path: 'agentClient.secretName',
      about: 'The Secret with tls.crt, tls.key and ca.crt, by which agents know the controller. It must be there.',
      ...{ initial: volumes[0]?.secret.secretName ?? '', schema: name },
    },
    {
      ...{ path: 'replicas', about: 'Controllers, of which one leads and the others wait.', initial: spec.replicas },
      schema: { type: 'integer', minimum: 0 },
    },
    {
      path: 'shards',
      about: 'Several controllers that share the hosts: `[{ name: a, selector: dimmer.dev/zone=a }, ...]`.',
      initial: [],
      schema: list({
        ...{ type: 'object', required: ['name', 'selector'], additionalProperties: false },
        properties: {
          name: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 40 },
          selector: { type: 'string', minLength: 1 },
        },
      }),
    },
    {
      ...{ path: 'extraArgs', about: 'Further arguments of `dimmer controller`.', initial: [], schema: list(text) },
    },
    { path: 'extraEnv', about: 'Further variables of its environment.', initial: [], schema: list(object) },
    {
      ...{ path: 'resources', about: "The controller's requests and limits." },
      ...{ initial: container.resources, schema: object },
    },
    { path: 'podAnnotations', about: 'Annotations of its pods.', initial: {}, schema: words },
    { path: 'podLabels', about: 'Further labels of its pods.', initial: {}, schema: words },
    { path: 'nodeSelector', about: 'Which nodes they run on.', initial: {}, schema: words },
    { path: 'tolerations', about: 'Taints that they tolerate.', initial: [], schema: list(object) },
    {
      path: 'affinity',
      about: 'Replaces the one that they have: not on one node, where there is more than one.',
      ...{ initial: {}, schema: object },
    },
    {
      path: 'topologySpreadConstraints',
      about: 'How they are spread over zones.',
      ...{ initial: [], schema: list(object) },
    },
    { path: 'serviceAccount.annotations', about: 'Annotations of its account.', initial: {}, schema: words },
    {
      path: 'priorityClass.create',
      about: 'Whether the chart makes the PriorityClass.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      path: 'priorityClass.name',
      about: 'Its name, or that of another one; none where it is empty.',
      ...{ initial: priorityClassName, schema: text },
    },
    {
      ...{ path: 'priorityClass.value', about: 'Its priority.', initial: priority },
      schema: { type: 'integer', maximum: 1_000_000_000 },
    },
    {
      path: 'podDisruptionBudget.enabled',
      about: 'Whether a drain leaves some running.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      ...{ path: 'podDisruptionBudget.minAvailable', about: 'How many.', initial: budget.minAvailable },
      schema: { type: ['integer', 'string'] },
    },
    {
      path: 'networkPolicy.enabled',
      about: 'Whether nobody reaches the controller but what reads its metrics.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      path: 'networkPolicy.metricsFrom',
      about: 'Who reads them, as peers of a NetworkPolicy; anybody where none is named.',
      ...{ initial: [], schema: list(object) },
    },
    {
      path: 'networkPolicy.egress',
      about:
        'Where it may go: the API server, the name servers, and the agents. Everywhere, where you name nothing less.',
      ...{ initial: network.egress, schema: list(object) },
    },
    {
      path: 'podMonitor.enabled',
      about: 'Whether there is a PodMonitor, for the Prometheus operator, which must be there.',
      ...{ initial: false, schema: yesOrNo },
    },
    { path: 'podMonitor.labels', about: 'Labels by which it is found.', initial: {}, schema: words },
    {
      ...{ path: 'podMonitor.interval', about: 'How often metrics are read.', initial: monitored.interval },
      schema: { type: 'string', pattern: '^[0-9]+(ms|s|m|h)$' },
    },
    {
      path: 'crds.enabled',
      about: 'Whether the chart brings the custom resource definitions, and upgrades them.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      path: 'crds.keep',
      about: 'Whether they stay when the chart is uninstalled. With them would go every resource.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      path: 'admission.enabled',
      about: 'Whether a size that cannot be reached is refused at once.',
      ...{ initial: true, schema: yesOrNo },
    },
    {
      path: 'userRoles.create',
      about: "Whether Kubernetes' own view, edit and admin roles get theirs of the resources.",
      ...{ initial: true, schema: yesOrNo },
    },
  ];
}

/** values.yaml: what they are, and what each is. */
export function writeValues(values: readonly ChartValue[]): string {
  const document = new Document(nested(values.map(({ path, initial }) => [path.split('.'), initial])));
  document.commentBefore = ' Made by scripts/deploy.ts. What deploy/ says, and what of it can be another way.';
  for (const { path, about, initial } of values) {
    const keys = path.split('.');
    const map = document.getIn(keys.slice(0, -1));
    if (!isMap<Scalar>(map)) throw new Error(`${path} is in no map`);
    const pair = map.items.find(({ key }) => key.value === keys.at(-1));
    if (pair === undefined) throw new Error(`${path} is not there`);
    pair.key.commentBefore = ` ${about}`;
    if (isCollection(pair.value)) pair.value.flow = isSmall(initial);
  }
  if (isMap<Scalar>(document.contents)) for (const { key } of document.contents.items) key.spaceBefore = true;
  return document.toString({ lineWidth: 0 });
}

type Tree = Record<string, unknown>;

/** An object of what lies at each path. */
function nested(entries: readonly (readonly [readonly string[], unknown])[]): Tree {
  const tree: Tree = {};
  for (const [keys, value] of entries) {
    let node = tree;
    for (const key of keys.slice(0, -1)) node = (node[key] ??= {}) as Tree;
    node[keys.at(-1) ?? ''] = value;
  }
  return tree;
}

/** Whether a value is written in one line. */
const isSmall = (value: unknown): boolean => JSON.stringify(value).length < 12;

/** values.schema.json: what Helm refuses before it installs anything, a name that is not spelled so among it. */
export function computeValuesSchema(values: readonly ChartValue[]): object {
  const tree = nested(
    values.map(({ path, about, schema }) => [path.split('.'), { description: about, ...schema, [leaf]: true }]),
  );
  const schemaOf = (node: Tree): JsonSchema => ({
    ...{ type: 'object', additionalProperties: false },
    properties: Object.fromEntries(
      Object.entries(node).map(([key, child]) => [key, leaf in (child as Tree) ? child : schemaOf(child as Tree)]),
    ),
  });
  const { properties, ...rest } = schemaOf(tree);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...rest,
    // What a chart above this one gives all of its own.
    properties: { ...(properties as object), global: { type: 'object' } },
  };
}

/** Marks what is a value and not a group of them; a symbol is not written into JSON. */
const leaf = Symbol('leaf');

/** The table of the chart's README. */
export const describeValues = (values: readonly ChartValue[]): string =>
  [
    '| value | what it says | when nothing is set |',
    '| ----- | ------------ | ------------------- |',
    ...values.map(({ path, about, initial }) => `| \`${path}\` | ${about} | \`${JSON.stringify(initial)}\` |`),
  ].join('\n');
