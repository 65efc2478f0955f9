/** What the host contract needs of the thing under test, and how it waits. */
import type { Bytes } from '../../src/memory/bytes.ts';
import type { HostAnswer } from '../../src/host/errors.ts';
import type {
  DomainObservation,
  Host,
  HostEvent,
  Leadership,
  PlugRequest,
  UnplugRequest,
} from '../../src/host/port.ts';

/** A running guest whose memory the contract changes. Every test gets a domain without modules of ours. */
export type ContractBench = {
  readonly host: Host;
  readonly uuid: string;
  /** A domain that exists and is switched off. */
  readonly stoppedUuid: string;
  /** What guests of tests that run beside this one may give back to the host meanwhile. Default: 0. */
  readonly othersMayFree?: Bytes;
  /** How the guest answers requests for any module from now on. */
  setUnplugBehaviour(behaviour: 'accept' | 'refuse' | 'silent'): Promise<void>;
  /** Waits until the guest has taken up what was plugged and would answer as it was told to. */
  beforeUnplug(): Promise<void>;
  /** A silent guest gives up the modules that were asked for. */
  letGo(): Promise<void>;
  /** A process in the guest begins to use memory. */
  useMemory(size: Bytes): Promise<{ isAlive(): Promise<boolean>; free(): Promise<void> }>;
  /** Stops the guest in its tracks, or lets it go on. */
  setPaused(paused: boolean): Promise<void>;
  /** Whether QEMU can allocate nothing more for a module, though the host has memory; or can again. */
  setShort(isShort: boolean): Promise<void>;
  /** Whether the guest takes up what is plugged from now on. */
  setOnlines(onlines: boolean): Promise<void>;
  /** A module is plugged behind the host's back. */
  plugByHand(slot: number, size: Bytes): Promise<void>;
  /** What the VM would be started with: boot memory and modules, in bytes; null: it is transient. */
  storedTotal(): Promise<number | null>;
  /** Somebody makes the VM transient, or gives it back the stored definition that it had. */
  setTransient(isTransient: boolean): Promise<void>;
  /** The host's admin reserves the VM for a namespace; null: for none. */
  setOwner(namespace: string | null): Promise<void>;
  dispose(): Promise<void>;
};

/** The value of an answer that must be good. */
export function valueOf<T>(answer: HostAnswer<T>): T {
  if (!answer.ok) throw new Error(`unexpected ${answer.error.code}: ${answer.error.message} (${answer.error.cause})`);
  return answer.value;
}

/** The code of an answer that must be an error; `ok` when it isn't one. */
export const codeOf = (answer: HostAnswer<unknown>): string => (answer.ok ? 'ok' : answer.error.code);

/** Waits until `probe` gives something other than null, at most `ms` milliseconds. */
export async function eventually<T>(what: string, probe: () => Promise<T | null> | T | null, ms = 20_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new Error(`gave up after ${ms} ms waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Observes until `holds`. */
export const observedUntil = (
  bench: Pick<ContractBench, 'host' | 'uuid'>,
  what: string,
  holds: (observation: DomainObservation) => boolean,
  ms?: number,
): Promise<DomainObservation> =>
  eventually(
    what,
    async () => {
      const observation = valueOf(await bench.host.observe(bench.uuid));
      return holds(observation) ? observation : null;
    },
    ms,
  );

/** Whether the guest has booted and has said lately what memory it has. */
export const isUp = ({ guest, booting }: DomainObservation): boolean => guest?.fresh === true && !booting;

/** Collects events until `stop`: those of the host and, where a domain is given, of no other. */
export function collectEvents(host: Host, uuid?: string): { readonly events: HostEvent[]; stop(): void } {
  const events: HostEvent[] = [];
  const stop = host.watch((event) => {
    if (uuid === undefined || !('uuid' in event) || event.uuid === uuid) events.push(event);
  });
  return { events, stop };
}

/** The right to act of the leader of this epoch, and by which newer ones it was refused. */
export function leadershipOf(epoch: number, election = 'cluster/dimmer-system/dimmer-controller') {
  const refusedBy: (number | undefined)[] = [];
  const leadership: Leadership = {
    current: () => ({ election, epoch }),
    refused: (newestEpoch) => void refusedBy.push(newestEpoch),
  };
  return { ...leadership, refusedBy };
}

export const claim = {
  clusterId: '11111111-aaaa-4aaa-8aaa-111111111111',
  objectUid: '22222222-bbbb-4bbb-8bbb-222222222222',
  namespace: 'tenants',
  generation: 1,
} as const;

export const plugRequest = (slot: number, size: Bytes, more: Partial<PlugRequest> = {}): PlugRequest => ({
  ...claim,
  slot,
  size,
  node: 0,
  hostReserve: 0 as Bytes,
  hostOvercommit: 100,
  ...more,
});

export const unplugRequest = (slot: number, more: Partial<UnplugRequest> = {}): UnplugRequest => ({
  ...claim,
  slot,
  ...more,
});

/**
 * Waits until the guest has booted and has said what it has after all that was done to it before. A report of an earlier
 * moment may still count a module that left, or miss one by way of caution; a whole second ends that.
 */
export function settled(bench: Pick<ContractBench, 'host' | 'uuid'>): Promise<DomainObservation> {
  // What left a moment ago may be in a report for as long (host/rules/report-correction.ts).
  const fromMs = Date.now() + 3_000;
  const isSettled = (o: DomainObservation): boolean => isUp(o) && (o.guest?.reportedAtMs ?? 0) >= fromMs;
  return observedUntil(bench, 'the guest reports what it has', isSettled);
}
