/** `dimmer plan --status`: the plan of an object as kubectl prints it. */
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { dimmerPlan } from './support.ts';

const at = '2026-01-01T00:00:00.000Z';
const object = {
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: { name: 'db-1', namespace: 't', uid: 'u', resourceVersion: '7', generation: 3 },
  spec: { virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' }, memory: '1664Mi', shrinkPolicy: 'Exact' },
  status: {
    observedGeneration: 3,
    memory: { boot: '1Gi', plugged: '640Mi', current: '1664Mi', max: '8Gi' },
    slots: { total: 4, used: 3 },
    granularity: '128Mi',
    modules: [
      { slot: 0, alias: 'ua-dimmer-0', node: 0, size: '384Mi', base: '0x100000000', state: 'Plugged' },
      { slot: 1, alias: 'ua-dimmer-1', node: 0, size: '256Mi', base: '0x118000000', state: 'Plugged' },
    ],
    planning: {
      ...{ observedAt: at, boot: [{ node: 0, size: '1Gi' }], block: '128Mi', otherBytes: '0' },
      ...{ slots: { usedByOthers: [3], resting: [] }, booting: false, cordoned: false },
      guest: { usable: '600Mi', total: '1600Mi', reportedAt: at, report: 'Fresh' },
      backings: [{ nodes: [0], preallocated: false, room: { host: '2Gi' } }],
    },
  },
};
const plan = async (given: object, args = '') => {
  const { exit, stdout, stderr } = await dimmerPlan(`--status - -o json${args}`, stringify(given));
  const { decision, reason, message, steps } = (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>;
  return {
    exit,
    stderr,
    decision,
    reason,
    message,
    slots: (steps as { slot: number }[] | undefined)?.map((step) => step.slot),
  };
};

describe('a plan from an object', () => {
  test('is for what its spec wants, or for another size', async () => {
    expect(await plan(object)).toMatchObject({ exit: 0, stderr: '', decision: 'noop', reason: 'Converged' });
    // The slot of another device isn't used, the guest's report is judged, and so is the host.
    expect(await plan(object, ' --memory 1792Mi')).toMatchObject({ exit: 0, decision: 'plug', slots: [2] });
    expect(await plan(object, ' --memory 1408Mi')).toMatchObject({ exit: 0, decision: 'unplug', slots: [1] });
    expect(await plan(object, ' --memory 1Gi')).toMatchObject({ exit: 2, reason: 'GuestMemoryInUse' });
    const large = await plan(object, ' --memory 5Gi');
    expect(large).toMatchObject({ exit: 2, reason: 'InsufficientHostMemory' });
    expect(large.message).toContain('the host has only 2Gi left to give');
    expect(await plan(object, ' --memory 1536Mi --shrink Nearest')).toMatchObject({ reason: 'ConvergedNearest' });
    expect(await plan(object, ' --memory 1536Mi --shrink Replace')).toMatchObject({ decision: 'replace' });
  });

  test('is shown to people, too', async () => {
    const { exit, stdout } = await dimmerPlan('--status - --memory 1408Mi', JSON.stringify(object));
    expect(exit).toBe(0);
    expect(stdout).toContain('Unplug (Unplugging): unplug 256Mi (slot 1) to go from 1664Mi to 1408Mi.');
  });
});

describe('bad usage', () => {
  const { planning: _, ...older } = object.status;
  test.each([
    ['a list', { apiVersion: 'v1', kind: 'List', items: [object] }, 'is a List, and not a VirtualMachineMemory'],
    ['something else', { a: 1 }, 'is no object of Kubernetes'],
    ['nobody has looked yet', { ...object, status: { observedGeneration: -1 } }, 'status.planning is missing'],
    ['an older controller', { ...object, status: older }, 'status.planning is missing'],
    [
      'a spec without sense',
      { ...object, spec: { ...object.spec, memory: '6gi' } },
      "spec.memory: '6gi' is not a quantity",
    ],
    ['half of the modules', { ...object, status: { ...object.status, modules: [] } }, 'do not add up'],
  ])('%s', async (_name, given, words) => {
    const { exit, stderr } = await plan(given);
    expect(exit).toBe(1);
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/^dimmer plan: --status: -: .*\n$/);
  });

  test.each([
    ['--status x --boot 1Gi', "--boot: can't be used with --status"],
    ['--status x --granularity 1Gi', "--granularity: can't be used with --status"],
    ['--status /nowhere/at-all', "--status: can't read /nowhere/at-all (ENOENT)"],
  ])('%s', async (args, words) => {
    const { exit, stderr } = await dimmerPlan(args);
    expect([exit, stderr]).toEqual([1, `dimmer plan: ${words}\n`]);
  });

  test('text that is no YAML', async () => {
    const { exit, stderr } = await dimmerPlan('--status -', 'a: [');
    expect(exit).toBe(1);
    expect(stderr).toMatch(/^dimmer plan: --status: -: is neither JSON nor YAML: .*\n$/);
  });
});
