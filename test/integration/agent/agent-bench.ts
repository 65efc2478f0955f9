/** A lab with an agent on it: what nearly every test of the agent begins with, and what all of them do to a guest. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { DomainObservation, Host, ObservedModule, PlugAnswer, PlugRequest } from '../../../src/host/port.ts';
import type { UnplugAnswer, UnplugRequest } from '../../../src/host/port.ts';
import type { HostAnswer } from '../../../src/host/errors.ts';
import { type Bytes, mib } from '../../../src/memory/bytes.ts';
import { eventually, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, type LabOptions, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { clearGuest } from './clear-guest.ts';
import { type RpcRelay, startRpcRelay } from './rpc-relay.ts';

export type AgentBenchOptions = Pick<LabOptions, 'hypervisor' | 'guests'> & {
  /** Whether each test has an agent of its own; libvirtd runs again afterwards, whatever a test did to it. */
  readonly agentOfEach?: true;
  /** Whether a test can step in between the agent and libvirtd. */
  readonly relayed?: true;
  /** Whether the first guest is left as it is after a test: otherwise modules, claim and marks are taken away. */
  readonly uncleared?: true;
  /** Size of the modules that are plugged. Default: 128 MiB. */
  readonly size?: Bytes;
  readonly agent?: Parameters<typeof startAgentFixture>[2];
};

/** One guest of the lab, through the agent. */
export type GuestBench = {
  readonly guest: LabGuest;
  readonly observe: () => Promise<DomainObservation>;
  /** At the revision of this moment. */
  readonly plug: (slot: number, more?: Partial<PlugRequest>) => Promise<HostAnswer<PlugAnswer>>;
  readonly unplug: (slot: number, more?: Partial<UnplugRequest>) => Promise<HostAnswer<UnplugAnswer>>;
  readonly until: (
    what: string,
    holds: (observation: DomainObservation) => boolean,
    ms?: number,
  ) => Promise<DomainObservation>;
  /** Waits until the guest has booted and has said lately what memory it has. */
  readonly reports: () => Promise<DomainObservation>;
  readonly moduleOf: (slot: number) => Promise<ObservedModule | undefined>;
  /** Waits until the guest has taken up so many modules, and no more. */
  readonly guestHas: (modules: number, each?: Bytes) => Promise<true>;
  /** Takes modules, claim and marks away. */
  readonly clear: () => Promise<void>;
};

/** The lab, and its first guest. */
export type AgentBench = GuestBench & {
  readonly lab: Lab;
  /** MemTotal of the first guest without modules. */
  readonly baseKib: number;
  readonly pki: AgentPki;
  readonly relay: RpcRelay;
  /** The agent that runs now, in this process. */
  readonly agent: AgentFixture;
  /** Through HTTPS. */
  readonly client: Host;
  /** `work` takes away what else a test left behind, when the agent of each has ended and the guest is cleared. */
  readonly tidyWith: (work: () => Promise<void>) => void;
  /** Another guest of the lab. */
  readonly of: (guest: LabGuest) => GuestBench;
  /** The guest of this name, which may be asked for before the lab is there. */
  readonly named: (name: string) => GuestBench;
  readonly start: (options?: AgentBenchOptions['agent']) => Promise<void>;
  /** Waits until the agent has found libvirt again. */
  readonly backAgain: () => Promise<true>;
};

/** `describeLab` for tests of an agent on a lab. What the bench holds is there once the tests run. */
export async function describeAgent(
  name: string,
  options: AgentBenchOptions,
  body: (bench: AgentBench) => void,
): Promise<void> {
  const { agentOfEach, relayed, uncleared, size = mib(128), agent: agentOptions, ...labOptions } = options;
  let tidy = (): Promise<void> => Promise.resolve();
  const has = {} as { lab: Lab; pki: AgentPki; relay: RpcRelay; agent: AgentFixture };
  const baseKib = new Map<string, number>();
  const baseOf = ({ name: of, uuid }: LabGuest): number => {
    const known = baseKib.get(uuid);
    if (known === undefined) throw new Error(`${of} was off, or without a shell, when the lab began`);
    return known;
  };
  const actionsOf = (find: () => LabGuest): Omit<GuestBench, 'guest'> => {
    const observe = async () => valueOf(await has.agent.client.observe(find().uuid));
    const until: GuestBench['until'] = (what, holds, ms) =>
      observedUntil({ host: has.agent.client, uuid: find().uuid }, what, holds, ms);
    /** As the controller does: where something has happened since it looked (a slot's rest is over), it looks again. */
    const asObserved = async <T>(change: (revision: string) => Promise<HostAnswer<T>>): Promise<HostAnswer<T>> => {
      for (;;) {
        const answer = await change((await observe()).revision);
        if (answer.ok || answer.error.code !== 'stale-revision') return answer;
      }
    };
    return {
      observe,
      until,
      plug: (slot, more = {}) =>
        asObserved((revision) => has.agent.client.plug(find().uuid, revision, plugRequest(slot, size, more))),
      unplug: (slot, more = {}) =>
        asObserved((revision) => has.agent.client.unplug(find().uuid, revision, unplugRequest(slot, more))),
      reports: () => until('the guest reports', isUp),
      moduleOf: async (slot) => (await observe()).layout?.modules.find((module) => module.slot === slot),
      guestHas: (modules, each = size) =>
        waitFor(async () => (await find().memTotalKiB()) === baseOf(find()) + (modules * each) / 1024, {
          ...{ what: `the guest to have ${modules} modules`, timeoutMs: 30_000, intervalMs: 100 },
        }),
      clear: () => clearGuest(has.lab.hypervisor, find()),
    };
  };
  const benchOf = (find: () => LabGuest): GuestBench => ({
    get guest() {
      return find();
    },
    ...actionsOf(find),
  });
  const first = (): LabGuest => {
    const [guest] = has.lab.guests;
    if (guest === undefined) throw new Error('the lab has no guest');
    return guest;
  };
  const bench: AgentBench = {
    get lab() {
      return has.lab;
    },
    get guest() {
      return first();
    },
    get baseKib() {
      return baseOf(first());
    },
    ...actionsOf(first),
    get pki() {
      return has.pki;
    },
    get relay() {
      return has.relay;
    },
    get agent() {
      return has.agent;
    },
    get client() {
      return has.agent.client;
    },
    tidyWith(work) {
      tidy = work;
    },
    of: (guest) => benchOf(() => guest),
    named: (name) =>
      benchOf(() => {
        const found = has.lab.guests.find((guest) => guest.name === name);
        if (found === undefined) throw new Error(`no guest ${name}`);
        return found;
      }),
    async start(more = agentOptions) {
      const uri = relayed === true ? has.relay.uri : has.lab.hypervisor.uri;
      has.agent = await startAgentFixture(uri, has.pki, more);
    },
    backAgain: () =>
      eventually('the agent is back', async () => ((await bench.client.observe(first().uuid)).ok ? true : null)),
  };

  await describeLab(name, () => {
    beforeAll(async () => {
      has.lab = await startLab({ guests: [{ kind: 'accepting' }], ...labOptions });
      const { directory, socketPath } = has.lab.hypervisor;
      for (const [index, guest] of has.lab.guests.entries()) {
        if (guest.kind === 'no-os' || labOptions.guests?.[index]?.leaveOff === true) continue;
        baseKib.set(guest.uuid, await guest.memTotalKiB());
      }
      has.pki = await createAgentPki(directory);
      if (relayed === true) has.relay = await startRpcRelay(join(directory, 'relay.sock'), socketPath);
      if (agentOfEach === undefined) await bench.start();
    });
    afterAll(async () => {
      if (agentOfEach === undefined) await has.agent.stop();
      if (relayed === true) has.relay.close();
      await has.lab.stop();
    });
    if (agentOfEach === true) {
      beforeEach(() => bench.start());
    }
    afterEach(async () => {
      if (agentOfEach === true) {
        await has.agent.stop();
        await has.lab.hypervisor.startDaemon();
      }
      if (uncleared === undefined) await bench.clear();
      await tidy();
    });
    body(bench);
  }, ['hypervisor']);
}
