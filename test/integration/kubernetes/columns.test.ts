import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HypervisorHostStatus } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { documented } from '../../support/documents.ts';
import { type DimmerCluster, host, memory, namespace, startDimmerCluster, uuid } from './support/dimmer-cluster.ts';

let cluster: DimmerCluster;
beforeAll(async () => {
  cluster = await startDimmerCluster();
  await cluster.apply(
    namespace('t'),
    memory('db-1', 't', { memory: '12Gi' }),
    memory('new', 't', { memory: 6442450944 }),
  );
  await cluster.apply(host('hv-07'));
  await cluster.putStatus('vmmem', 'db-1', memoryStatus, 't');
  await cluster.putStatus('hvh', 'hv-07', hostStatus);
});
afterAll(() => cluster.stop());

const condition = (type: string, status: 'True' | 'False', reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
  observedGeneration: 1,
});

// Ready isn't the first: a column that took any condition would show another.
const memoryStatus: VirtualMachineMemoryStatus = {
  observedGeneration: 1,
  conditions: [
    condition('HostReachable', 'True', 'Reachable', 'the agent answers'),
    condition('Ready', 'False', 'GuestRefused', 'the guest kept ua-dimmer-1'),
    condition('Paused', 'True', 'Paused', 'paused by spec.paused'),
  ],
  hostName: 'hv-07',
  virtualMachine: { uuid, name: 'db-vm', state: 'Running', runtimeId: 'hv-07/3' },
  memory: { boot: '4Gi', plugged: '9Gi', current: '13Gi', target: '12Gi', guestTotal: '12945Mi', max: '64Gi' },
  slots: { total: 16, used: 5 },
};

const hostStatus: HypervisorHostStatus = {
  observedGeneration: 1,
  conditions: [
    condition('Trusted', 'False', 'Other', 'another'),
    condition('Ready', 'True', 'Connected', 'the agent answers'),
  ],
  agentVersion: '0.1.0',
  libvirtVersion: '11.3.0',
  hypervisorVersion: '10.0.2',
  memory: { total: '256Gi', available: '93Gi', committed: '160Gi' },
  virtualMachines: 41,
};

/** Rows of cells; kubectl separates columns by at least three spaces. The age is replaced. */
async function table(...args: readonly string[]): Promise<string[][]> {
  const text = await cluster.kubectlOk(['get', ...args]);
  return text
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .trimEnd()
        .split(/ {3,}/)
        .map((cell) => (/^\d+[smh]$/.test(cell) ? 'AGE' : cell)),
    );
}

describe('printer columns', () => {
  it('show what matters of a VirtualMachineMemory', async () => {
    expect(await table('vmmem', 'db-1', '-n', 't')).toEqual([
      ['NAME', 'VM', 'DESIRED', 'CURRENT', 'READY', 'REASON', 'AGE'],
      ['db-1', 'db-vm', '12Gi', '13Gi', 'False', 'GuestRefused', 'AGE'],
    ]);
  });

  it('show the rest of a VirtualMachineMemory on demand', async () => {
    const wide = ['PAUSED', 'HOST', 'BOOT', 'MAX', 'SLOTS', 'USED', 'MODULES', 'DELETION', 'MESSAGE'];
    expect(await table('vmmem', 'db-1', '-n', 't', '-o', 'wide')).toEqual([
      ['NAME', 'VM', 'DESIRED', 'CURRENT', 'READY', 'REASON', 'AGE', ...wide],
      [
        ...['db-1', 'db-vm', '12Gi', '13Gi', 'False', 'GuestRefused', 'AGE'],
        ...['True', 'hv-07', '4Gi', '64Gi', '16', '5', '9Gi', 'Retain', 'the guest kept ua-dimmer-1'],
      ],
    ]);
  });

  it('show a wish that nobody has looked at, and one written as a number', async () => {
    const text = await cluster.kubectlOk(['get', 'vmmem', 'new', '-n', 't', '--no-headers']);
    expect(text.trim()).toMatch(/^new +6442450944 +\d+s$/);
  });

  it('show what matters of a HypervisorHost', async () => {
    expect(await table('hvh')).toEqual([
      ['NAME', 'ADDRESS', 'READY', 'REASON', 'AVAILABLE', 'VMS', 'AGE'],
      ['hv-07', 'https://127.0.0.1:9443', 'True', 'Connected', '93Gi', '41', 'AGE'],
    ]);
  });

  it('show the rest of a HypervisorHost on demand', async () => {
    const [header, row] = await table('hvh', 'hv-07', '-o', 'wide');
    expect(header?.slice(7)).toEqual(['CORDONED', 'TOTAL', 'COMMITTED', 'AGENT', 'LIBVIRT', 'MESSAGE']);
    // Not cordoned is an empty cell.
    expect(row?.slice(7)).toEqual(['256Gi', '160Gi', '0.1.0', '11.3.0', 'the agent answers']);
  });

  it('come along with the category', async () => {
    const text = await cluster.kubectlOk(['get', 'dimmer', '-n', 't', '-o', 'name']);
    expect(text.trim().split('\n').sort()).toEqual([
      'hypervisorhost.dimmer.dev/hv-07',
      'virtualmachinememory.dimmer.dev/db-1',
      'virtualmachinememory.dimmer.dev/new',
    ]);
  });

  it('leave Ready to be waited for', async () => {
    await cluster.kubectlOk(['wait', '--for=condition=Ready=false', 'vmmem/db-1', '-n', 't', '--timeout=5s']);
    await cluster.kubectlOk([
      'wait',
      '--for=jsonpath={.status.memory.current}=13Gi',
      'vmmem/db-1',
      '-n',
      't',
      '--timeout=5s',
    ]);
  });
});

describe('what is selected by its fields', () => {
  const named = async (...args: readonly string[]): Promise<string> =>
    (await cluster.kubectlOk(['get', 'vmmem', '-A', '-o', 'name', ...args])).replaceAll(/\S+\//g, '').trim();

  it.each([
    ['status.hostName=hv-07', 'db-1'],
    ['status.hostName=', 'new'],
    ['status.virtualMachine.name=db-vm', 'db-1'],
    [`status.virtualMachine.uuid=${uuid}`, 'db-1'],
    [`spec.virtualMachine.uuid=${uuid}`, 'db-1\nnew'],
    ['spec.hostRef.name=hv-07', ''],
    ['spec.virtualMachine.name!=', ''],
    ['status.hostName=hv-07,metadata.name!=db-1', ''],
  ])('%s', async (selector, names) => {
    expect(await named('--field-selector', selector)).toBe(names);
  });

  it('as the operations guide says it', async () => {
    const { text } = documented('docs/operations.md', 'kubectl get vmmem -A --field-selector');
    const [kubectl, ...args] = text.replace('$ ', '').split(' ');
    expect(kubectl).toBe('kubectl');
    expect(await cluster.kubectlOk(args)).toMatch(/^NAMESPACE .*\nt +db-1 .*\n$/);
  });

  it('a field that can not be selected by is named', async () => {
    const { code, stderr } = await cluster.kubectl(['get', 'vmmem', '-A', '--field-selector', 'spec.memory=12Gi']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('field label not supported: spec.memory')]);
  });
});
