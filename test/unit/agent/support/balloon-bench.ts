/** A daemon in memory with one domain and its balloon, and an agent's questions to its guest. */
import { compilePattern } from '../../../../src/agent/admission.ts';
import { DomainReader } from '../../../../src/agent/domain/reader.ts';
import { GuestQuestions } from '../../../../src/agent/guest/questions.ts';
import { HostMemory } from '../../../../src/agent/host-memory.ts';
import type { RunningDomain } from '../../../../src/agent/domain/running-domain.ts';
import { RunningDomains } from '../../../../src/agent/domain/running-domains.ts';
import { StatisticsBell } from '../../../../src/agent/guest/statistics-bell.ts';
import { createLibvirtDriver } from '../../../../src/drivers/libvirt/driver.ts';
import { LibvirtDisconnectedError } from '../../../../src/libvirt/domain/errors.ts';
import type { Hypervisor } from '../../../../src/libvirt/domain/hypervisor.ts';
import { periodNamespace } from '../../../../src/libvirt/xml/statistics-period.ts';
import { gib } from '../../../../src/memory/bytes.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { FakeBalloon, type FakeBalloonOptions } from './fake-balloon.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

export type BalloonBench = {
  readonly clock: ManualClock;
  readonly balloon: FakeBalloon;
  /** What the metadata keeps of the period; null: nothing. */
  readonly recorded: () => string | null;
  readonly job: { kind: 'none' | 'migration' | 'busy' };
  /** Called before each call that changes something, with its name and the period. */
  readonly hooks: { before: (call: string, seconds: number | null) => void | Promise<void> };
  /** An agent's process. An earlier one whose calls are cut off stays silent. */
  start(): {
    readonly questions: GuestQuestions;
    readonly bell: StatisticsBell;
    readonly run: RunningDomain;
    /** Reads what the balloon says, as the poll does. */
    look(): Promise<void>;
    restore(): void;
  };
  /** From now on no call of any agent that is there reaches the daemon. */
  kill(): void;
};

/** The bench; libvirt answers each call after a millisecond. */
export function createBalloonBench(
  options: Omit<FakeBalloonOptions, 'clock'> & { readonly startMs?: number },
): BalloonBench {
  const clock = new ManualClock(options.startMs);
  const balloon = new FakeBalloon({ ...options, clock });
  const hooks: BalloonBench['hooks'] = { before: () => undefined };
  const job: BalloonBench['job'] = { kind: 'none' };
  let recorded: string | null = null;
  let generation = 0;

  const xml = (): string => {
    const period = recorded === null ? '' : recorded.replace('<statistics', `<statistics xmlns='${periodNamespace}'`);
    return (
      `<domain type='kvm' id='1'><name>db-1</name><uuid>${uuid}</uuid><metadata>${period}</metadata>` +
      `<memory unit='GiB'>1</memory><devices>` +
      `<memballoon model='virtio'><stats period='${balloon.writtenSeconds}'/></memballoon></devices></domain>`
    );
  };

  return {
    ...{ clock, balloon, hooks, job },
    recorded: () => recorded,
    kill() {
      generation += 1;
    },
    start() {
      const mine = generation;
      const call = async <T>(work: () => T): Promise<T> => {
        await new Promise<void>((resolve) => clock.after(1, resolve));
        if (mine !== generation) return new Promise<never>(() => undefined);
        return work();
      };
      const change = async (name: string, seconds: number | null, work: () => void): Promise<void> => {
        await hooks.before(name, seconds);
        return call(work);
      };
      const hypervisor = {
        connected: true,
        domainJob: () => call(() => job.kind),
        domainXml: () => call(xml),
        memoryStats: () => call(() => balloon.statistics),
        setMemoryStatsPeriod: (_uuid: string, seconds: number) =>
          change('period', seconds, () => balloon.setPeriod(seconds)),
        setMetadata: (_uuid: string, uri: string, _prefix: string, text: string | null) =>
          change(text === null ? 'forget' : 'record', null, () => {
            if (uri === periodNamespace) recorded = text;
          }),
      } as unknown as Hypervisor;
      const driver = createLibvirtDriver(hypervisor, () => ({
        ...{ total: gib(1), available: gib(1), nodes: [], hugepagePools: [], defaultHugePageSize: null },
      }));
      const runs = new RunningDomains();
      const reader = new DomainReader({
        ...{ driver, runs, clock, admits: compilePattern('*') },
        identities: { identify: () => 'run', forget: () => undefined },
        hostMemory: new HostMemory(() => driver.hostMemory()),
      });
      const bell = new StatisticsBell({ driver, reader, clock, logger: silentLogger });
      const run = runs.ensure(uuid, 'run', clock.now());
      return {
        bell,
        questions: new GuestQuestions({ driver, bell, clock }),
        run,
        async look() {
          const look = run.reports.beginLook(clock.now());
          run.reports.took(await driver.statistics(uuid), look);
        },
        restore() {
          void reader.describe(uuid).then((memory) => {
            if (memory.ok) bell.restore(memory.value);
          });
        },
      };
    },
  };
}

/** What libvirt says when it goes away in the middle of a call. */
export const gone = (call: string): Error => new LibvirtDisconnectedError(call, true, 'the connection is lost');
