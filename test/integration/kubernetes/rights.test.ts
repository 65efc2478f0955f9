import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOf, documented } from '../../support/documents.ts';
import { type DimmerCluster, host, memory, namespace, startDimmerCluster } from './support/dimmer-cluster.ts';

let cluster: DimmerCluster;
beforeAll(async () => {
  cluster = await startDimmerCluster();
  await cluster.apply(namespace('t'), memory('a', 't', { memory: '6Gi' }), host('hv'));
});
afterAll(() => cluster.stop());

/** What the controller's service account may do, or whoever `as` names, as the API server tells it. */
async function rightsIn(ns: string, as?: readonly string[]): Promise<string[]> {
  const list = ['auth', 'can-i', '--list', '-n', ns];
  const text = await (as === undefined
    ? cluster.kubectlOk(list, { kubeconfig: cluster.controllerKubeconfig })
    : cluster.kubectlOk([...list, ...as]));
  return text
    .split('\n')
    .map((line) => /^(\S+\.\S+|\S+) +\[\] +\[(.*)\] +\[(.*)\]$/.exec(line))
    .filter((match) => match !== null)
    .map(([, resource = '', names = '', verbs = '']) => `${resource}${names === '' ? '' : ` ${names}`}: ${verbs}`)
    .filter((right) => !right.startsWith('selfsubject'))
    .sort();
}

const everywhere = [
  'events.events.k8s.io: create patch',
  'hypervisorhosts.dimmer.dev/status: update',
  'hypervisorhosts.dimmer.dev: get list watch',
  'namespaces: get list watch',
  'virtualmachinememories.dimmer.dev/status: update',
  'virtualmachinememories.dimmer.dev: get list watch patch',
];

describe('the service account of the controller', () => {
  it('has these rights in a namespace of tenants and no others', async () => {
    expect(await rightsIn('t')).toEqual(everywhere);
  });

  it('has leader election beside them in its own namespace', async () => {
    const leases = [
      'leases.coordination.k8s.io dimmer-controller: list watch update',
      'leases.coordination.k8s.io: create',
    ];
    expect(await rightsIn('dimmer-system')).toEqual([...everywhere, ...leases].sort());
  });

  it.each([
    ['a spec', ['patch', 'vmmem', 'a', '-n', 't', '--type=merge', '-p', '{"spec":{"memory":"1Gi"}}']],
    [
      'a status by patch',
      ['patch', 'vmmem', 'a', '-n', 't', '--subresource=status', '--type=merge', '-p', '{"status":{}}'],
    ],
    ["a host's spec", ['patch', 'hvh', 'hv', '--type=merge', '-p', '{"spec":{"cordoned":true}}']],
    ['annotations', ['annotate', 'vmmem', 'a', '-n', 't', 'x=y']],
    ['a deletion', ['delete', 'vmmem', 'a', '-n', 't']],
    ['a label of a namespace', ['label', 'namespace', 't', 'x=y']],
    ['secrets', ['get', 'secrets', '-n', 'dimmer-system']],
    ['pods', ['get', 'pods', '-A']],
  ])('is denied %s', async (_, args) => {
    const { code, stderr } = await cluster.kubectl(args, { kubeconfig: cluster.controllerKubeconfig });
    expect(stderr).toContain('is forbidden');
    expect(code).toBe(1);
  });

  it('is denied a spec by PUT', async () => {
    const { stderr } = await cluster.kubectl(['replace', '-f', '-'], {
      kubeconfig: cluster.controllerKubeconfig,
      input: JSON.stringify(await cluster.get('vmmem', 'a', '-n', 't')),
    });
    expect(stderr).toContain('is forbidden');
  });
});

describe('roles of users', () => {
  /** Whether somebody with Kubernetes' own role in namespace t may do something. */
  const may = async (user: string, ...args: readonly string[]): Promise<boolean> =>
    (await cluster.kubectl(['auth', 'can-i', ...args, '-n', 't', `--as=${user}`])).code === 0;

  it('grow with view, edit and admin', async () => {
    // Aggregation is the controller manager's work, which a lab has not: the labels that it goes by are what counts.
    const roles = JSON.parse(
      await cluster.kubectlOk(['get', 'clusterrole', 'dimmer-view', 'dimmer-edit', '-o', 'json']),
    ) as { items: { metadata: { name: string; labels: Record<string, string> } }[] };
    const aggregated = Object.fromEntries(
      roles.items.map(({ metadata: { name, labels } }) => [
        name,
        Object.keys(labels)
          .filter((label) => label.includes('aggregate-to'))
          .map((label) => label.split('aggregate-to-')[1]),
      ]),
    );
    expect(aggregated).toEqual({ 'dimmer-view': ['view'], 'dimmer-edit': ['admin', 'edit'] });
  });

  it('let a viewer look and an editor change, but neither the status nor hosts', async () => {
    const binding = (name: string, user: string) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name, namespace: 't' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
    await cluster.apply(binding('dimmer-view', 'viewer'), binding('dimmer-edit', 'editor'));
    expect(await may('viewer', 'get', 'vmmem')).toBe(true);
    expect(await may('viewer', 'patch', 'vmmem')).toBe(false);
    expect(await may('editor', 'patch', 'vmmem')).toBe(true);
    expect(await may('editor', 'update', 'vmmem', '--subresource=status')).toBe(false);
    expect(await may('viewer', 'list', 'hvh')).toBe(false);
    expect(await may('editor', 'list', 'hvh')).toBe(false);
  });

  it('let a host admin change hosts and see who waits for room, and nothing else', async () => {
    const [{ command } = { command: '' }] = commandsOf(documented('docs/operations.md', 'create clusterrolebinding'));
    await cluster.kubectlOk(command.split(' ').slice(1));
    const as = ['--as=keeper', '--as-group=host-admins'];
    const looks = 'get list watch';
    expect(await rightsIn('t', as)).toEqual(
      [
        `events: ${looks}`,
        `events.events.k8s.io: ${looks}`,
        `hypervisorhosts.dimmer.dev: ${looks} create update patch delete deletecollection`,
        `hypervisorhosts.dimmer.dev/status: ${looks}`,
        `virtualmachinememories.dimmer.dev: ${looks}`,
        `virtualmachinememories.dimmer.dev/status: ${looks}`,
      ].sort(),
    );
    const cordon = ['patch', 'hvh', 'hv', '--type=merge', '-p', '{"spec":{"cordoned":true}}'];
    expect((await cluster.kubectl([...cordon, ...as])).code).toBe(0);
    expect((await cluster.kubectl(['get', 'vmmem', '-A', ...as])).code).toBe(0);
  });
});
