/** Whose a VM is, where it is, and who has changed it, on a real API server: what kubectl get, describe and events say. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type {
  VirtualMachineMemory,
  VirtualMachineMemoryStatus,
} from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { gib } from '../../../src/memory/bytes.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import { eventsIn } from '../../lab/api-client.ts';
import {
  type DimmerCluster,
  eventually,
  host,
  memory,
  namespace,
  startDimmerCluster,
} from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const vm = (number: number, name = `vm-${number}`) => ({ uuid: uuidOf(number), name, boot: gib(1) });

let plane: DimmerCluster;
let controller: LiveController;
beforeAll(async () => {
  plane = await startDimmerCluster();
  await plane.apply(namespace('t'), namespace('rivals'), host('hv-1'), host('hv-2'));
  const domains = Array.from({ length: 9 }, (_, index) => vm(index + 1));
  controller = await startLiveController(plane, { domains: { 'hv-1': domains } });
});
afterAll(async () => {
  await controller.close();
  await plane.stop();
});

const script = (name = 'hv-1'): SimulatedHost['script'] => controller.host(name).script;
const apply = (name: string, number: number, spec: object = {}, ns = 't') =>
  plane.apply(
    memory(name, ns, { virtualMachine: { uuid: uuidOf(number) }, memory: '2Gi', growPolicy: 'Whole', ...spec }),
  );

/** Waits until all three ways of looking say the reason; gives what `kubectl describe` says. */
async function shows(name: string, reason: string, ready: 'True' | 'False', type: 'Normal' | 'Warning', ns = 't') {
  let last: unknown;
  await eventually(
    `${name} says ${reason}, and an event does`,
    async () => {
      const object = (await plane.get('vmmem', name, '-n', ns)) as unknown as VirtualMachineMemory;
      const condition = findCondition(object.status?.conditions, 'Ready');
      const { items } = (await plane.api.read(eventsIn(ns))) as { readonly items: readonly Event[] };
      last = { condition, items };
      const isTold = items.some(
        (event) => event.reason === reason && event.type === type && event.involvedObject.name === name,
      );
      return condition?.reason === reason && condition.status === ready && isTold;
    },
    () => JSON.stringify(last),
  );
  expect(await plane.kubectlOk(['get', 'vmmem', name, '-n', ns])).toMatch(
    new RegExp(`^${name} .* ${ready} +${reason} `, 'm'),
  );
  expect(await plane.kubectlOk(['get', 'events', '-n', ns])).toMatch(
    new RegExp(` ${type} +${reason} +virtualmachinememory/${name} `, 'i'),
  );
  const described = await plane.kubectlOk(['describe', 'vmmem', name, '-n', ns]);
  expect(described).toMatch(new RegExp(`Reason: +${reason}\\n +Status: +${ready}\\n +Type: +Ready`));
  expect(described).toMatch(new RegExp(`\\n +${type} +${reason} +`));
  return described;
}
type Event = { readonly reason: string; readonly type: string; readonly involvedObject: { readonly name: string } };
const status = async (name: string): Promise<VirtualMachineMemoryStatus> => {
  const { status: found = {} } = (await plane.get('vmmem', name, '-n', 't')) as unknown as VirtualMachineMemory;
  return found;
};

describe('whose a VM is', () => {
  it('DuplicateClaim: the older one of the namespace is named, one of another namespace is not', async () => {
    await apply('first', 1);
    await shows('first', 'Converged', 'True', 'Normal');
    // Age is told in whole seconds; two of one second are told apart by their uids.
    await delay(1_000);
    await apply('second', 1, { memory: '4Gi' });
    expect(await shows('second', 'DuplicateClaim', 'False', 'Warning')).toContain(
      'belongs to the older VirtualMachineMemory t/first',
    );
    await delay(1_000);
    await apply('third', 1, { memory: '4Gi' }, 'rivals');
    const described = await shows('third', 'DuplicateClaim', 'False', 'Warning', 'rivals');
    expect(described).toContain('belongs to an older VirtualMachineMemory of another namespace');
    expect(described).not.toContain('t/first');
    expect(script().total(uuidOf(1))).toBe(gib(2));
    // When the older one goes the next has it, and neither stays stuck.
    await plane.kubectlOk(['delete', 'vmmem', 'first', '-n', 't']);
    await shows('second', 'Converged', 'True', 'Normal');
  });

  it('ClaimedByOther: another cluster has it, which is not named', async () => {
    const observed = await controller.host('hv-1').observe(uuidOf(2));
    if (!observed.ok) throw new Error(observed.error.message);
    const theirs = { clusterId: 'another-cluster', objectUid: 'their-object', namespace: 'theirs', generation: 1 };
    const module = { slot: 0, size: gib(1), node: 0, hostReserve: gib(0), hostOvercommit: 1 };
    await controller.host('hv-1').plug(uuidOf(2), observed.value.revision, { ...theirs, ...module });
    await apply('claimed', 2, { memory: '4Gi' });
    const described = await shows('claimed', 'ClaimedByOther', 'False', 'Warning');
    expect(described).toContain('dimmer agent release');
    expect(described).not.toMatch(/another-cluster|their-object|theirs/);
    // It has been ended, by the one or the other.
    const { revision } = observed.value;
    const now = await controller.host('hv-1').observe(uuidOf(2));
    await controller.host('hv-1').releaseClaim(uuidOf(2), now.ok ? now.value.revision : revision, theirs);
    await plane.kubectlOk(['annotate', 'vmmem', 'claimed', '-n', 't', 'dimmer.dev/reconcile-requested-at=now']);
    await shows('claimed', 'Converged', 'True', 'Normal');
  });

  it('VMReplaced: the name belongs to another VM now, which is left alone', async () => {
    await apply('named', 3, { virtualMachine: { name: 'vm-3' }, hostRef: { name: 'hv-1' } });
    await shows('named', 'Converged', 'True', 'Normal');
    script().depart(uuidOf(3));
    await shows('named', 'VMNotFoundOrNotAllowed', 'False', 'Warning');
    script().addDomain(vm(33, 'vm-3'));
    script().emit({ kind: 'lifecycle', uuid: uuidOf(33) });
    script().emit({ kind: 'reset' });
    const described = await shows('named', 'VMReplaced', 'False', 'Warning');
    expect(described).toContain(`was ${uuidOf(3)} and is now ${uuidOf(33)}`);
    expect(script().total(uuidOf(33))).toBe(gib(1));
    expect((await status('named')).virtualMachine?.uuid).toBe(uuidOf(3));
  });
});

describe('a VM that migrates', () => {
  it('VMMigrating: is left alone meanwhile, followed, and resized where it is then', async () => {
    await apply('moving', 4);
    await shows('moving', 'Converged', 'True', 'Normal');
    const before = await status('moving');
    expect(before.hostName).toBe('hv-1');
    script().setMigrating(uuidOf(4), true);
    await apply('moving', 4, { memory: '3Gi' });
    await shows('moving', 'VMMigrating', 'False', 'Normal');
    expect(script().total(uuidOf(4))).toBe(gib(2));
    const domain = script().depart(uuidOf(4));
    script('hv-2').arrive(domain);
    script('hv-2').setMigrating(uuidOf(4), false);
    await shows('moving', 'Converged', 'True', 'Normal');
    const now = await status('moving');
    expect(now.hostName).toBe('hv-2');
    expect(now.virtualMachine?.runtimeId).not.toBe(before.virtualMachine?.runtimeId);
    expect(script('hv-2').total(uuidOf(4))).toBe(gib(3));
    expect(await plane.kubectlOk(['get', 'vmmem', 'moving', '-n', 't', '-o', 'wide'])).toContain(' hv-2 ');
    // What moved with it is no drift, and the claim came along.
    expect(now.drift?.phase).toBeUndefined();
    expect(script('hv-2').domain(uuidOf(4)).operations.claim).toMatchObject({ namespace: 't' });
  });
});

describe('modules that somebody else changes', () => {
  const takeOut = (number: number) => {
    const [module] = script().domain(uuidOf(number)).modules;
    script().unplugByHand(uuidOf(number), module?.slot ?? -1);
  };
  const corrections = async (name: string) => (await status(name)).drift?.corrections?.length ?? 0;

  it('DriftCorrected: are brought back, with an event; DriftContested: three times in an hour', async () => {
    await apply('contested', 5);
    await shows('contested', 'Converged', 'True', 'Normal');
    for (const time of [1, 2, 3]) {
      takeOut(5);
      await eventually(`it is brought back (${time})`, async () => (await corrections('contested')) === time);
      await eventually('it is as it was', () => script().total(uuidOf(5)) === gib(2));
      await shows('contested', 'Converged', 'True', 'Normal');
    }
    const events = await plane.kubectlOk(['get', 'events', '-n', 't']);
    expect(events).toMatch(
      /Normal +DriftCorrected .*they and boot memory make 1Gi; they are brought back, for the third time/,
    );
    takeOut(5);
    const described = await shows('contested', 'DriftContested', 'False', 'Warning');
    expect(described).toMatch(/Phase: +Contested/);
    expect(script().total(uuidOf(5))).toBe(gib(1));
    await apply('contested', 5, { memory: '3Gi' });
    await shows('contested', 'Converged', 'True', 'Normal');
    expect(script().total(uuidOf(5))).toBe(gib(3));
  });

  it('DriftReported: are left as they are', async () => {
    await apply('reported', 6, { driftPolicy: 'Report' });
    await shows('reported', 'Converged', 'True', 'Normal');
    takeOut(6);
    const described = await shows('reported', 'DriftReported', 'False', 'Warning');
    expect(described).toMatch(
      /Drift:\n +Found: +1Gi\n +Generation: +1\n +Phase: +Reported\n +Runtime Id: .*\n +Size: +2Gi/,
    );
    expect(script().total(uuidOf(6))).toBe(gib(1));
    await plane.kubectlOk(['annotate', 'vmmem', 'reported', '-n', 't', 'dimmer.dev/reconcile-requested-at=now']);
    await shows('reported', 'Converged', 'True', 'Normal');
    expect(script().total(uuidOf(6))).toBe(gib(2));
  });
});
