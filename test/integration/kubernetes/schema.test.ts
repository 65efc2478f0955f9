import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changesIn } from './support/changes-in.ts';
import {
  deployDirectory,
  type DimmerCluster,
  host,
  memory,
  namespace,
  startDimmerCluster,
  uuid,
} from './support/dimmer-cluster.ts';

let cluster: DimmerCluster;
beforeAll(async () => {
  cluster = await startDimmerCluster();
  await cluster.apply(namespace('t'));
});
afterAll(() => cluster.stop());

/** What the API server says of an object, without creating it. */
async function judge(object: object): Promise<string> {
  const { code, output } = await cluster.tryApply(object, '--dry-run=server');
  return code === 0 ? 'accepted' : output.replaceAll(/\s+/g, ' ').trim();
}

const judgeSpec = (spec: object): Promise<string> => judge(memory('a', 't', spec));
const judgeHost = (spec: object): Promise<string> => judge(host('a', spec));

describe('deploy/', () => {
  it('can be applied again and changes nothing', async () => {
    const again = await cluster.kubectlOk(['apply', '-k', deployDirectory]);
    expect(changesIn(again)).toEqual([]);
  });

  it('has nothing that the API server would drop or warns about', async () => {
    const { stderr, code } = await cluster.kubectl([
      'apply',
      '-k',
      deployDirectory,
      '--dry-run=server',
      '--validate=strict',
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('serves both kinds under their short names and their category', async () => {
    const resources = await cluster.kubectlOk(['api-resources', '--api-group=dimmer.dev', '-o', 'wide']);
    expect(resources).toMatch(
      /virtualmachinememories +vmmem +dimmer.dev\/v1alpha1 +true +VirtualMachineMemory .* dimmer/,
    );
    expect(resources).toMatch(/hypervisorhosts +hvh +dimmer.dev\/v1alpha1 +false +HypervisorHost .* dimmer/);
  });
});

describe('what these tests apply', () => {
  it('is applied as kubectl does it, which goes on from there, and the other way round', async () => {
    const kubectl = (spec: object) => cluster.tryApply(memory('both', 't', spec), '--validate=strict');
    const fields = async () => (await cluster.get('vmmem', 'both', '-n', 't'))['spec'];
    expect((await cluster.tryApply(memory('both', 't', { memory: '2Gi', paused: true }))).output).toMatch(
      / created\n$/,
    );
    expect((await kubectl({ memory: '2Gi', paused: true })).output).toMatch(/ unchanged\n$/);
    expect((await kubectl({ memory: '3Gi' })).output).toMatch(/ configured\n$/);
    expect(await fields()).toMatchObject({ memory: '3Gi' });
    expect(await fields()).not.toHaveProperty('paused');
    expect((await cluster.tryApply(memory('both', 't', { memory: '3Gi' }))).output).toMatch(/ unchanged\n$/);
    expect((await cluster.tryApply(memory('both', 't', { rounding: 'Up' }))).output).toMatch(/ configured\n$/);
    expect(await fields()).toMatchObject({ rounding: 'Up' });
    expect(await fields()).not.toHaveProperty('memory');
    expect(await cluster.tryApply(memory('both', 't', { rounding: 'Up', size: 1 }))).toMatchObject({
      ...{ code: 1, output: expect.stringContaining('unknown field "spec.size"') as string },
    });
  });
});

describe('size of memory', () => {
  it.each([
    '64Mi',
    '6Gi',
    '1536Mi',
    '1.5Gi',
    '1.375Gi',
    '0.0625Gi',
    '+6Gi',
    '64Ti',
    '67108864',
    67108864,
    '67108864000m',
    '1048576Ki',
  ])('takes %j', async (value) => expect(await judgeSpec({ memory: value })).toBe('accepted'));

  it.each([
    [
      '-1Gi',
      'spec.memory: Invalid value: "-1Gi": -1Gi is out of range: write a size between 64Mi and 64Ti, such as 6Gi or 1536Mi',
    ],
    [-5, 'spec.memory: Invalid value: -5: -5 is out of range: write a size between 64Mi and 64Ti'],
    [6, 'spec.memory: Invalid value: 6: 6 is out of range: write a size between 64Mi and 64Ti, such as 6Gi'],
    ['0', '0 is out of range'],
    ['63Mi', '63Mi is out of range'],
    ['65Ti', '65Ti is out of range'],
    ['100Pi', '100Pi is out of range'],
    ['9999Ei', '9999Ei is out of range'],
    ['1e999', '1e999 is out of range'],
    ['1e-9', '1e-9 is out of range'],
    ['1.1Gi', '1.1Gi is not a whole number of MiB: write 1126Mi or 1127Mi'],
    ['1e9', '1e9 is not a whole number of MiB: write 953Mi or 954Mi'],
    ['1G', '1G is not a whole number of MiB: write 953Mi or 954Mi'],
    [1073741825, '1073741825 is not a whole number of MiB: write 1024Mi or 1025Mi'],
    // A double can't tell it from 1Gi.
    ['1073741824.000000001', '1073741824.000000001 is not a whole number of MiB'],
    ['6gi', "'6gi' is not a quantity: write a number with a unit, such as 6Gi or 1536Mi"],
    ['six', "'six' is not a quantity"],
    ['', "'' is not a quantity"],
    ['6 Gi', "'6 Gi' is not a quantity"],
    // Legal, but the API server would need half a minute for every comparison.
    ['1e100000000', "'1e100000000' is not a quantity"],
    ['1234567890123456789012345', 'spec.memory: Too long: may not be more than 24 bytes'],
    [1.5, 'spec.memory in body must be of type integer,string: "number"'],
    [true, 'spec.memory in body must be of type integer,string: "boolean"'],
  ])('refuses %j', async (value, words) => expect(await judgeSpec({ memory: value })).toContain(words));

  it('may be left out: observe only', async () => expect(await judgeSpec({})).toBe('accepted'));
});

describe('identity of the virtual machine', () => {
  it.each<[object, string]>([
    [{ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-07' } }, 'accepted'],
    [{ virtualMachine: { uuid }, hostRef: { name: 'hv-07.example' } }, 'accepted'],
    [
      { virtualMachine: { uuid, name: 'db-1' }, hostRef: { name: 'hv' } },
      'spec.virtualMachine: Invalid value: give exactly one of uuid and name',
    ],
    [{ virtualMachine: {} }, 'spec.virtualMachine: Invalid value: give exactly one of uuid and name'],
    [{ virtualMachine: null }, 'spec.virtualMachine: Required value'],
    [
      { virtualMachine: { name: 'db-1' } },
      'spec.hostRef: Required value: virtualMachine.name needs hostRef: a name is unique on one host only',
    ],
    [
      { virtualMachine: { uuid: uuid.toUpperCase() } },
      'is not a UUID in lower case, such as 6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11 (virsh domuuid prints it)',
    ],
    [{ virtualMachine: { uuid: 'db-1' } }, "'db-1' is not a UUID in lower case"],
    [
      { virtualMachine: { name: '' }, hostRef: { name: 'hv' } },
      'spec.virtualMachine.name in body should be at least 1 chars long',
    ],
    [
      { virtualMachine: { name: 'a'.repeat(256) }, hostRef: { name: 'hv' } },
      'spec.virtualMachine.name: Too long: may not be more than 255',
    ],
    [
      { virtualMachine: { name: '../x' }, hostRef: { name: 'hv' } },
      'spec.virtualMachine.name: Invalid value: "../x": must not contain \'/\' or a line break',
    ],
    [{ hostRef: { name: 'HV_07' } }, 'must be the name of a HypervisorHost'],
    [{ hostRef: {} }, 'spec.hostRef.name: Required value'],
  ])('%j', async (spec, words) => expect(await judgeSpec(spec)).toContain(words));

  it('cannot be changed', async () => {
    await cluster.apply(memory('fixed', 't', { memory: '6Gi' }));
    const other = await judge(memory('fixed', 't', { virtualMachine: { uuid: uuid.replace('6f', '7f') } }));
    expect(other).toContain("spec.virtualMachine: Forbidden: virtualMachine can't be changed: delete this resource");
    const named = await judge(memory('fixed', 't', { virtualMachine: { name: 'x' }, hostRef: { name: 'h' } }));
    expect(named).toContain("virtualMachine can't be changed");
    expect(await judge(memory('fixed', 't', { memory: '7Gi', hostRef: { name: 'h' } }))).toBe('accepted');
  });
});

describe('other fields of VirtualMachineMemory', () => {
  it('fills in the documented defaults and no others', async () => {
    await cluster.apply(memory('defaults', 't', {}));
    expect((await cluster.get('vmmem', 'defaults', '-n', 't'))['spec']).toEqual({
      virtualMachine: { uuid },
      shrinkPolicy: 'Exact',
      growPolicy: 'Divisible',
      rounding: 'Exact',
      guestSafety: 'Required',
      unplugTimeout: '30s',
      driftPolicy: 'Correct',
      deletionPolicy: 'Retain',
      persistence: 'Live',
      releaseTimeout: '10m',
    });
  });

  it.each<[object, string]>([
    [{ growPolicy: 'Whole', guestSafety: 'BestEffort', paused: true, unplugTimeout: '1m30s' }, 'accepted'],
    [{ guestSafety: 'Off', unplugTimeout: '1h' }, 'accepted'],
    [{ driftPolicy: 'Report', deletionPolicy: 'Release', releaseTimeout: '24h' }, 'accepted'],
    [{ memmory: '6Gi' }, 'unknown field "spec.memmory"'],
    [{ virtualMachine: { uuid, host: 'x' } }, 'unknown field "spec.virtualMachine.host"'],
    [{ shrinkPolicy: 'Nearest', growPolicy: 'Divisible', granularity: '128Mi', pageSize: '2Mi' }, 'accepted'],
    [{ shrinkPolicy: 'Replace', granularity: '2Gi', pageSize: '1Gi' }, 'accepted'],
    [{ granularity: '3Mi' }, "'3Mi' is not a memory block size: write an even number of MiB up to 64Gi"],
    [{ granularity: '128Gi' }, 'is not a memory block size'],
    [{ granularity: '0.5Gi' }, 'is not a memory block size'],
    [{ granularity: '' }, 'is not a memory block size'],
    [{ pageSize: '4Ki' }, "'4Ki' is not a size of huge pages: write one that the host has, such as 2Mi or 1Gi"],
    [{ pageSize: 'big' }, 'is not a size of huge pages'],
    [{ persistance: 'Live' }, 'unknown field "spec.persistance"'],
    [{ persistence: 'Config' }, 'supported values: "Live", "LiveAndConfig"'],
    [{ shrinkPolicy: 'Greedy' }, 'spec.shrinkPolicy: Unsupported value: "Greedy"'],
    [{ rounding: 'Up' }, 'accepted'],
    [{ rounding: 'Down' }, 'spec.rounding: Unsupported value: "Down"'],
    [{ growPolicy: 'Large' }, 'spec.growPolicy: Unsupported value: "Large"'],
    [{ guestSafety: 'off' }, 'spec.guestSafety: Unsupported value: "off"'],
    [{ unplugTimeout: '30' }, "'30' is not a duration between 1s and 1h: write 30s, 2m or 1m30s"],
    [{ unplugTimeout: '' }, 'is not a duration'],
    [{ unplugTimeout: '0s' }, 'is not a duration'],
    [{ unplugTimeout: '61m' }, 'is not a duration'],
    [{ unplugTimeout: '-5s' }, 'is not a duration'],
    [{ unplugTimeout: 30 }, 'must be of type string'],
    [{ releaseTimeout: '0s' }, "'0s' is not a duration between 1s and 24h: write 90s, 10m or 1h30m"],
    [{ releaseTimeout: '1441m' }, 'is not a duration'],
    [{ driftPolicy: 'Off' }, 'supported values: "Correct", "Report"'],
    [{ deletionPolicy: 'Delete' }, 'supported values: "Retain", "Release"'],
    [{ paused: 'yes' }, 'must be of type boolean'],
  ])('%j', async (spec, words) => expect(await judgeSpec(spec)).toContain(words));

  it('cannot be created with a status', async () => {
    await cluster.apply({ ...memory('liar', 't', {}), status: { memory: { current: '9Gi' } } });
    expect((await cluster.get('vmmem', 'liar', '-n', 't'))['status']).toEqual({ observedGeneration: -1 });
  });
});

describe('HypervisorHost', () => {
  it('fills in the documented defaults and no others', async () => {
    await cluster.apply(host('defaults'));
    expect((await cluster.get('hvh', 'defaults'))['spec']).toEqual({
      address: 'https://127.0.0.1:9443',
      allowedNamespaces: { from: 'All' },
      memoryReserve: '0',
      memoryOvercommit: '1.0',
      maxConcurrentOperations: 4,
    });
  });

  const selector = {
    matchLabels: { team: 'db' },
    matchExpressions: [{ key: 'env', operator: 'In', values: ['prod'] }],
  };
  const address = 'is not the address of an agent: write https://HOST:PORT, such as https://hv-07.example.net:9443';
  it.each<[object, string]>([
    [{ address: 'https://hv-07.example.net:9443/', tlsServerName: 'hv-07' }, 'accepted'],
    [{ address: 'https://[fd00::7]:9443' }, 'accepted'],
    [{ address: 'https://hv-07' }, 'accepted'],
    [{ address: 'http://hv-07:9443' }, `'http://hv-07:9443' ${address}`],
    [{ address: 'hv-07:9443' }, address],
    [{ address: 'https://' }, address],
    [{ address: 'https://hv:0' }, address],
    [{ address: 'https://hv:65536' }, address],
    [{ address: 'https://me@hv:9443' }, address],
    [{ address: 'https://hv:9443/v1' }, address],
    [{ address: 'https://hv:9443?x' }, address],
    [{ address: null }, 'spec.address: Required value'],
    [{ allowedNamespaces: null }, 'spec.allowedNamespaces: Required value'],
    [{ allowedNamespaces: {} }, 'spec.allowedNamespaces.from: Required value'],
    [{ allowedNamespaces: { from: 'Some' } }, 'Unsupported value: "Some": supported values: "All", "Selector", "None"'],
    [{ allowedNamespaces: { from: 'None' } }, 'accepted'],
    [{ allowedNamespaces: { from: 'Selector', selector } }, 'accepted'],
    [{ allowedNamespaces: { from: 'Selector' } }, "selector belongs to 'from Selector', and only there"],
    [{ allowedNamespaces: { from: 'All', selector } }, "selector belongs to 'from Selector', and only there"],
    [
      { allowedNamespaces: { from: 'Selector', selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
      'values belong to the operators In and NotIn, and only there',
    ],
    [{ memoryReserve: '1.5Gi' }, 'accepted'],
    [{ memoryReserve: 4294967296 }, 'accepted'],
    [
      { memoryReserve: '-1Gi' },
      "'-1Gi' is not a size between 0 and 64Ti: write a whole number of bytes, such as 4Gi or 512Mi",
    ],
    [{ memoryReserve: '1.5' }, 'is not a size between 0 and 64Ti'],
    [{ memoryReserve: '1e30' }, 'is not a size between 0 and 64Ti'],
    [{ memoryReserve: '1e100000000' }, 'is not a size between 0 and 64Ti'],
    [{ memoryReserve: 'much' }, 'is not a size between 0 and 64Ti'],
    [{ namespaceLimit: '64Gi' }, 'accepted'],
    [{ namespaceLimit: 0 }, 'accepted'],
    [
      { namespaceLimit: '-1Gi' },
      "'-1Gi' is not a size between 0 and 64Ti: write a whole number of bytes, such as 64Gi",
    ],
    [{ namespaceLimit: '50%' }, 'is not a size between 0 and 64Ti'],
    [{ namespaceLimit: '65Ti' }, 'is not a size between 0 and 64Ti'],
    [{ memoryOvercommit: '0.5' }, 'accepted'],
    [{ memoryOvercommit: '16' }, 'accepted'],
    [{ memoryOvercommit: '0.49' }, 'is not a decimal number between 0.5 and 16: write it in quotes, such as "1.0"'],
    [{ memoryOvercommit: '16.1' }, 'is not a decimal number between 0.5 and 16'],
    [{ memoryOvercommit: 'lots' }, 'is not a decimal number between 0.5 and 16'],
    [{ memoryOvercommit: 1.5 }, 'must be of type string: "number"'],
    [{ maxConcurrentOperations: 0 }, 'should be greater than or equal to 1'],
    [{ maxConcurrentOperations: 65 }, 'should be less than or equal to 64'],
    [{ maxConcurrentOperations: 1.5 }, 'must be of type integer'],
    [{ cordoned: true }, 'accepted'],
    [{ requireOwner: true }, 'accepted'],
    [{ requireOwner: 'yes' }, 'must be of type boolean'],
    [{ drained: true }, 'unknown field "spec.drained"'],
  ])('%j', async (spec, words) => expect(await judgeHost(spec)).toContain(words));
});

describe('kubectl explain', () => {
  /** Paths of a schema whose fields must each be described. */
  it.each(['vmmem.spec', 'vmmem.spec.virtualMachine', 'vmmem.status', 'hvh.spec', 'hvh.spec.allowedNamespaces'])(
    'describes every field of %s',
    async (path) => {
      const text = await cluster.kubectlOk(['explain', path]);
      expect(text).not.toContain('<no description>');
    },
  );
});
