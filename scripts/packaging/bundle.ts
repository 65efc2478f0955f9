/**
 * The bundle for the Operator Lifecycle Manager, made from crds/ and deploy/. OLM makes the namespace, the Deployment, the service
 * account and its rights from the ClusterServiceVersion; the kinds of objects beside it are few, and admission policies are none of
 * them: those are applied by hand (docs/operations.md, OLM).
 */
import { format } from 'prettier';
import { parse, stringify } from 'yaml';
import {
  crdFiles,
  deployed,
  deployedObjects,
  type Manifest,
  oldestKubernetes,
  readRoot,
  release,
} from './manifests.ts';

type Rules = Manifest & { readonly rules: readonly object[] };
type Deployment = Manifest & {
  readonly metadata: { readonly labels: object };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly { readonly image: string }[];
      };
    };
  };
};
type Crd = {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: { readonly description: string } };
    }[];
  };
};

/** What OLM takes beside a ClusterServiceVersion: pkg/lib/bundle/supported_resources.go of operator-registry. */
const beside = ['PriorityClass', 'PodDisruptionBudget', 'NetworkPolicy', 'ClusterRole'];
const packageName = 'dimmer';
const channel = 'alpha';

const example = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  ...{ kind, metadata: { name }, spec },
});
const examples = [
  example('HypervisorHost', 'hv-07', {
    address: 'https://hv-07.example.net:9443',
    allowedNamespaces: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } },
  }),
  example('VirtualMachineMemory', 'db-1', {
    virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' },
    memory: '4Gi',
  }),
];

const displayNames: Readonly<Record<string, string>> = {
  HypervisorHost: 'Hypervisor host',
  VirtualMachineMemory: "Virtual machine's memory",
};

const about = `Dimmer turns a running virtual machine's memory up and down, declaratively, on plain libvirt/QEMU hosts. You write the
memory that a VM should have; the controller compares it with the memory modules that the hypervisor reports, plans an exact set to
plug or unplug, and drives an agent on the VM's host until the two agree.

## Before you install it

- Apply the admission policies of \`deploy/30-admission.yaml\` and \`deploy/31-controller-fence.yaml\`, which a bundle can't hold. The second
  one keeps the controller from writing a spec, whatever happens to its token.
- Make a Secret \`dimmer-agent-client\` in the operator's namespace, with \`tls.crt\`, \`tls.key\` and \`ca.crt\`: by it the agents know the
  controller. Install an agent on each host.
`;

function ownedDefinition(file: string): object {
  const { metadata, spec } = parse(readRoot(`crds/${file}`)) as Crd;
  const [version] = spec.versions;
  if (version === undefined) throw new Error(`crds/${file} has no version`);
  const { kind } = spec.names;
  return {
    ...{ name: metadata.name, version: version.name, kind, displayName: displayNames[kind] ?? kind },
    description: version.schema.openAPIV3Schema.description.trim(),
  };
}

function computeServiceVersion(): object {
  const deployment = deployed('Deployment') as Deployment;
  const { serviceAccountName, containers } = deployment.spec.template.spec;
  const image = containers[0]?.image ?? '';
  const granted = (kind: string): object => ({
    serviceAccountName,
    rules: (deployed(kind, serviceAccountName) as Rules).rules,
  });
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'ClusterServiceVersion',
    metadata: {
      name: `${packageName}.v${release.version}`,
      namespace: 'placeholder',
      annotations: {
        'alm-examples': JSON.stringify(examples, null, 2),
        capabilities: 'Basic Install',
        containerImage: image,
        description: release.description,
        'operatorframework.io/suggested-namespace': deployment.metadata.namespace ?? '',
        support: 'The community of Dimmer',
      },
    },
    spec: {
      displayName: 'Dimmer',
      description: about,
      version: release.version,
      minKubeVersion: oldestKubernetes,
      maturity: channel,
      keywords: ['libvirt', 'qemu', 'virtual machines', 'memory hotplug'],
      provider: { name: 'Dimmer' },
      icon: [
        { base64data: Buffer.from(readRoot('deploy/olm/icon.svg')).toString('base64'), mediatype: 'image/svg+xml' },
      ],
      // It watches all namespaces; who may use a host, the HypervisorHost says.
      installModes: ['OwnNamespace', 'SingleNamespace', 'MultiNamespace', 'AllNamespaces'].map((type) => ({
        type,
        supported: type === 'AllNamespaces',
      })),
      install: {
        strategy: 'deployment',
        spec: {
          clusterPermissions: [granted('ClusterRole')],
          permissions: [granted('Role')],
          deployments: [{ name: deployment.metadata.name, label: deployment.metadata.labels, spec: deployment.spec }],
        },
      },
      customresourcedefinitions: { owned: crdFiles.map(ownedDefinition) },
      relatedImages: [{ name: 'controller', image }],
    },
  };
}

/** Objects beside the ClusterServiceVersion, each in a file of its own; what OLM makes itself is not among them. */
function besideFiles(): readonly (readonly [string, object])[] {
  const { serviceAccountName } = (deployed('Deployment') as Deployment).spec.template.spec;
  const own = deployedObjects().filter(
    ({ kind, metadata }) => beside.includes(kind) && !(kind === 'ClusterRole' && metadata.name === serviceAccountName),
  );
  return own.map((object) => {
    // OLM puts them into the operator's namespace.
    const { namespace: _, ...metadata } = object.metadata;
    return [`${metadata.name}.${object.kind.toLowerCase()}.yaml`, { ...object, metadata }];
  });
}

const annotations: Readonly<Record<string, string>> = {
  'operators.operatorframework.io.bundle.mediatype.v1': 'registry+v1',
  'operators.operatorframework.io.bundle.manifests.v1': 'manifests/',
  'operators.operatorframework.io.bundle.metadata.v1': 'metadata/',
  'operators.operatorframework.io.bundle.package.v1': packageName,
  'operators.operatorframework.io.bundle.channels.v1': channel,
  'operators.operatorframework.io.bundle.channel.default.v1': channel,
};

/** The bundle's files, by their path from the root of the repository. */
export async function computeBundle(): Promise<ReadonlyMap<string, string>> {
  const yaml = (value: object): Promise<string> =>
    format(`# Made by scripts/deploy.ts.\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}`, {
      ...{ parser: 'yaml', printWidth: 120, singleQuote: true },
    });
  const manifests = [[`${packageName}.clusterserviceversion.yaml`, computeServiceVersion()] as const, ...besideFiles()];
  const image = [
    '# Made by scripts/deploy.ts. The image of the bundle: docker build --file deploy/olm/bundle.Dockerfile deploy/olm',
    'FROM scratch',
    ...Object.entries(annotations).map(([name, value]) => `LABEL ${name}=${value}`),
    'COPY manifests /manifests/',
    'COPY metadata /metadata/',
    '',
  ];
  return new Map([
    ...(await Promise.all(
      manifests.map(async ([name, object]) => [`deploy/olm/manifests/${name}`, await yaml(object)] as const),
    )),
    ...crdFiles.map((file) => [`deploy/olm/manifests/${file}`, readRoot(`crds/${file}`)] as const),
    ['deploy/olm/metadata/annotations.yaml', await yaml({ annotations })],
    ['deploy/olm/bundle.Dockerfile', image.join('\n')],
  ]);
}
