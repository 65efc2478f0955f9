/** Every way out of a reconcile after every action: what is said in the end is what is said when nothing goes wrong. */
import { afterEach, describe, expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import type { SimulatedFault, SimulationScript } from '../../../src/host/simulated/script.ts';
import { gib } from '../../../src/memory/bytes.ts';
import type { WriteResult } from '../../../src/runtime/resources.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

type Action = {
  readonly name: string;
  readonly modules: readonly { readonly size: ReturnType<typeof gib> }[];
  readonly wish: { readonly memory: string; readonly shrinkPolicy?: 'Replace' };
  readonly guest: (script: SimulationScript) => void;
  /** The way out is taken right after this call of this operation. */
  readonly after: { readonly operation: 'plug' | 'unplug'; readonly call: number };
  /** The reason in the end. */
  readonly ends: string;
  /** The reason in the end when the spec changes meanwhile: a replacement is of one generation. Default: as `ends`. */
  readonly endsChanged?: string;
};

const willing = (): void => undefined;
const actions: readonly Action[] = [
  {
    name: 'a plug that the guest onlines',
    modules: [],
    wish: { memory: '2Gi' },
    guest: willing,
    after: { operation: 'plug', call: 1 },
    ends: 'Converged',
  },
  {
    name: 'a plug that the guest does not online',
    modules: [],
    wish: { memory: '2Gi' },
    guest: (script) => script.setOnlines(vmUuid, false),
    after: { operation: 'plug', call: 1 },
    ends: 'GuestNotOnlined',
  },
  {
    name: 'an unplug',
    modules: [{ size: gib(1) }],
    wish: { memory: '1Gi' },
    guest: willing,
    after: { operation: 'unplug', call: 1 },
    ends: 'Converged',
  },
  {
    name: 'asking a silent guest again',
    modules: [{ size: gib(1) }],
    wish: { memory: '1Gi' },
    guest: (script) => script.setUnplugBehaviour(vmUuid, 'all', 'silent', { times: 1 }),
    after: { operation: 'unplug', call: 2 },
    ends: 'Converged',
  },
  {
    name: 'the beginning of a replacement',
    modules: [{ size: gib(2) }],
    wish: { memory: '2Gi', shrinkPolicy: 'Replace' },
    guest: willing,
    after: { operation: 'plug', call: 1 },
    ends: 'Converged',
  },
  {
    name: 'the beginning of a replacement that the guest refuses',
    modules: [{ size: gib(2) }],
    wish: { memory: '2Gi', shrinkPolicy: 'Replace' },
    guest: (script) => script.setUnplugBehaviour(vmUuid, [0], 'refuse'),
    after: { operation: 'plug', call: 1 },
    ends: 'ReplaceRolledBack',
    endsChanged: 'UnreachableSize',
  },
  {
    name: 'taking back the module of a replacement',
    modules: [{ size: gib(2) }],
    wish: { memory: '2Gi', shrinkPolicy: 'Replace' },
    guest: (script) => script.setUnplugBehaviour(vmUuid, [0], 'refuse'),
    after: { operation: 'unplug', call: 2 },
    ends: 'ReplaceRolledBack',
    endsChanged: 'ReplaceRolledBack',
  },
];

type Exit = {
  readonly name: string;
  readonly changesSpec?: true;
  /** The host's agent is an older one, whose answers don't tell what a change has led to: it is looked at at once. */
  readonly isOlder?: true;
  readonly take: (bench: ControllerBench, action: Action) => void;
};

const inAWhile = (bench: ControllerBench, what: () => void): void => void bench.clock.after(5_000, what);

/** The next observations meet `fault`. */
const unseen = (name: string, fault: SimulatedFault, times = 1): Exit => ({
  name: `the next look${times === 1 ? '' : 's'} (${times}): ${name}`,
  take: (bench) => bench.host().script.inject('observe', fault, times),
});

/** The next writes of the status end as `result` says. */
const unwritten = (name: string, result: WriteResult<never>, times = 1): Exit => ({
  name: `the next status ${times === 1 ? 'write' : `${times} writes`}: ${name}`,
  take: (bench) => bench.resources.failures.push(...Array.from({ length: times }, () => result)),
});

/** The next write of the status ends as `write` does. */
const nextWrite = (
  bench: ControllerBench,
  write: (stored: () => Promise<unknown>) => Promise<WriteResult<never>>,
): void => {
  const { resources } = bench;
  const real = resources.write.bind(resources);
  resources.write = (resource, status) => {
    resources.write = real;
    return write(() => real(resource, status));
  };
};

const failed: WriteResult<never> = { outcome: 'failed', message: 'a fault on purpose', retryable: true };
const other = {
  type: 'example.com/Seen',
  status: 'True',
  reason: 'R',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
} as const;

const unseens: readonly Exit[] = [
  unseen('the answer is lost', { kind: 'lose-answer' }),
  unseen('the answer is lost', { kind: 'lose-answer' }, 5),
  unseen('the request is lost', { kind: 'lose-request' }),
  unseen('no answer', { kind: 'hang', ms: 10_000 }),
  unseen('the answer is late', { kind: 'answer-late', ms: 3_000 }),
  unseen('the agent fails', { kind: 'fail', error: hostError('internal-error', 'a fault on purpose') }),
  unseen('the VM is busy', { kind: 'fail', error: hostError('busy', 'a fault on purpose') }),
];
/** Right after the action: later on, what the guest has refused would be forgotten with it. */
const lost = unseen('the VM is not there', { kind: 'fail', error: hostError('not-found', 'a fault on purpose') });

const exits: readonly Exit[] = [
  ...unseens,
  ...[...unseens, lost].map((exit): Exit => ({ ...exit, name: `${exit.name}, of an older agent`, isOlder: true })),
  {
    name: 'the host does not say what it has',
    take: (bench) => bench.host().script.inject('facts', { kind: 'lose-request' }, 3),
  },
  unwritten('conflict', { outcome: 'conflict' }),
  unwritten('conflict', { outcome: 'conflict' }, 3),
  unwritten('failed', failed),
  {
    name: 'the status is written, and the answer lost',
    take: (bench) =>
      nextWrite(bench, async (stored) => {
        await stored();
        return failed;
      }),
  },
  {
    name: 'the writer throws',
    take: (bench) => nextWrite(bench, () => Promise.reject(new Error('a fault on purpose'))),
  },
  {
    name: 'somebody else sets a condition right before the write',
    take: ({ resources }) =>
      resources.interruptions.push(() =>
        resources.patchStatus('tenants/vm', (status) => ({
          ...status,
          conditions: [...(status.conditions ?? []), other],
        })),
      ),
  },
  {
    name: 'another wish, taken back at once',
    changesSpec: true,
    take: (bench, { wish }) => {
      bench.apply({ memory: '7Gi' });
      bench.apply(wish);
    },
  },
  {
    name: 'paused for a while',
    changesSpec: true,
    take: (bench) => {
      bench.apply({ paused: true });
      inAWhile(bench, () => bench.apply({ paused: false }));
    },
  },
  {
    name: 'somebody asks for a retry',
    take: (bench) => bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' }),
  },
  {
    name: 'the host is gone for a while',
    take: (bench) => {
      const host = bench.hosts.get('hv-1');
      bench.hosts.remove('hv-1');
      inAWhile(bench, () => {
        if (host !== undefined) bench.hosts.apply(host);
      });
    },
  },
  {
    name: 'the host is down for a while',
    take: (bench) => {
      bench.host().script.setReachable(false);
      inAWhile(bench, () => bench.host().script.setReachable(true));
    },
  },
  {
    name: 'the limits of the host make no sense for a while',
    take: (bench) => {
      bench.changeHost('hv-1', { memoryReserve: 'much' });
      inAWhile(bench, () => bench.changeHost('hv-1', { memoryReserve: '1Gi' }));
    },
  },
  {
    name: 'the namespace is not known for a while',
    take: (bench) => {
      bench.namespaces.remove('tenants');
      inAWhile(bench, () => bench.namespace('tenants'));
    },
  },
  {
    name: 'the VM migrates for a while',
    take: (bench) => {
      bench.host().script.setMigrating(vmUuid, true);
      inAWhile(bench, () => bench.host().script.setMigrating(vmUuid, false));
    },
  },
];

/** What happens to the answer of the action itself. */
const answers: readonly { readonly name: string; readonly fault: SimulatedFault }[] = [
  { name: 'is lost', fault: { kind: 'lose-answer' } },
  { name: 'is late', fault: { kind: 'answer-late', ms: 3_000 } },
  { name: 'is lost, and it is done later', fault: { kind: 'act-late', ms: 1_500 } },
  { name: 'is that nothing was done', fault: { kind: 'lose-request' } },
  { name: 'is that the agent failed', fault: { kind: 'fail', error: hostError('internal-error', 'on purpose') } },
  { name: 'is that the VM is busy', fault: { kind: 'fail', error: hostError('busy', 'on purpose') } },
];

describe('after an action', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  /** Brings the VM to the wish of `action`, with `before` and `after` called around its call. */
  async function run(
    action: Action,
    before: () => void,
    after: () => void,
    tells = true,
  ): Promise<ReturnType<typeof digest>> {
    const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1), modules: action.modules };
    bench = await createControllerBench([domain]);
    const host = bench.host();
    const { operation, call } = action.after;
    const real = host[operation].bind(host) as (...args: unknown[]) => Promise<never>;
    let calls = 0;
    host[operation] = async (...args: unknown[]) => {
      calls += 1;
      const isIt = calls === call;
      if (isIt) before();
      const answer = await real(...args);
      if (isIt) after();
      return answer;
    };
    host.script.setTells(tells);
    action.guest(host.script);
    bench.apply(action.wish);
    await bench.clock.advance(1_800_000);
    expect(calls).toBeGreaterThanOrEqual(call);
    return digest();
  }

  function digest() {
    const { lastResize, memory, modules, virtualMachine, replacement } = bench.status();
    const ready = bench.condition('Ready');
    return {
      ready: [ready?.status, ready?.reason, ready?.message],
      resize: [
        lastResize?.from,
        lastResize?.to,
        lastResize?.guestTotalBefore,
        lastResize?.completionTime !== undefined,
      ],
      memory,
      modules: modules?.map(({ slot, size, refusals }) => [slot, size, refusals]),
      runtimeId: virtualMachine?.runtimeId,
      replacement: replacement?.phase,
      resized: bench.events.events.filter(({ action }) => action === 'Resize').map(({ message }) => message),
      plugged: bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'plugged')
        .map(({ slot }) => slot),
    };
  }

  describe.each(actions)('$name', (action) => {
    it('without a fault it ends as it should', async () => {
      await run(action, willing, willing);
      expect(bench.reason()).toBe(action.ends);
    });

    it.each(exits)('$name', async ({ take, changesSpec, isOlder }) => {
      const expected = await run(action, willing, willing);
      await bench.close();
      const ended = await run(action, willing, () => take(bench, action), isOlder === undefined);
      if (changesSpec === undefined || action.endsChanged === undefined) {
        expect(ended).toEqual(expected);
        return;
      }
      expect(bench.reason()).toBe(action.endsChanged);
      // It may have been tried once more; what is said of the resize stays true.
      expect(ended).toMatchObject({
        resize: expected.resize,
        resized: expected.resized,
        runtimeId: expected.runtimeId,
      });
    });

    it.each(answers)('whose answer $name', async ({ fault }) => {
      const expected = await run(action, willing, willing);
      await bench.close();
      const inject = (): void => bench.host().script.inject(action.after.operation, fault);
      expect(await run(action, inject, willing)).toEqual(expected);
    });
  });
});
