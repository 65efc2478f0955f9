/** The client against a real libvirtd and a real QEMU. The guest has no operating system: none is needed here. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { dialEndpoint } from '../../../src/libvirt/rpc/dial.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import type { DomainEvent } from '../../../src/libvirt/domain/events.ts';
import { createHypervisor, type Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { type ConnectionChange, Session } from '../../../src/libvirt/rpc/session.ts';
import { stateNamespace, statePrefix, writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { readState } from '../../../src/libvirt/xml/read-operation-state.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { UnixEndpoint } from '../../../src/libvirt/rpc/uri.ts';
import { describeLab } from '../../lab/describe.ts';
import { startGuest } from '../../lab/guest.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type LabHypervisor, startHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';

type Client = {
  readonly hypervisor: Hypervisor;
  readonly events: DomainEvent[];
  readonly changes: ConnectionChange[];
};

const clients: Client[] = [];

async function connect(endpoint: UnixEndpoint, keepalive = { intervalMs: 5_000, count: 3 }): Promise<Client> {
  const session = new Session({ endpoint, dial: dialEndpoint, clock: systemClock, random: Math.random, keepalive });
  const client: Client = { hypervisor: createHypervisor(session), events: [], changes: [] };
  clients.push(client);
  client.hypervisor.onEvent((event) => client.events.push(event));
  client.hypervisor.onConnection((change) => void client.changes.push(change));
  client.hypervisor.start();
  await connected(client, 1);
  return client;
}

const connected = (client: Client, times: number): Promise<true> =>
  waitFor(() => client.changes.filter((change) => change.kind === 'connected').length >= times, {
    what: `connection ${times}`,
    timeoutMs: 20_000,
    intervalMs: 5,
  });

const seen = (client: Client, kind: DomainEvent['kind'], alias: string): Promise<true> =>
  waitFor(() => client.events.some((event) => event.kind === kind && 'alias' in event && event.alias.endsWith(alias)), {
    what: `${kind} of ${alias}`,
    timeoutMs: 10_000,
    intervalMs: 5,
  });

const dimm = (slot: number): string => writeDimmXml({ slot, alias: aliasOfSlot(slot), size: mib(128), node: 0 });

await describeLab(
  'the libvirt client on a real daemon',
  () => {
    let lab: LabHypervisor;
    let guest: LabGuest;
    let endpoint: UnixEndpoint;
    let client: Client;

    beforeAll(async () => {
      lab = await startHypervisor({ libvirtdConf: ['keepalive_interval = 1', 'keepalive_count = 2'] });
      guest = await startGuest(lab, { kind: 'no-os', name: 'plain', slots: 16 });
      endpoint = { transport: 'unix', sockets: [lab.socketPath], openUri: 'qemu:///system' };
      client = await connect(endpoint);
    });

    afterAll(async () => {
      await Promise.all(clients.map(({ hypervisor }) => hypervisor.close()));
      await lab.stop();
    });

    const memory = async (): Promise<DomainMemoryXml> => {
      const result = readDomainMemory(await client.hypervisor.domainXml(guest.uuid));
      if (!result.ok) throw new Error(`${result.error.path}: ${result.error.problem}`);
      return result.value;
    };

    test('tells host and domains as virsh does', async () => {
      const { hypervisor } = client;
      const info = await hypervisor.info();
      const version = (number: number): string =>
        [Math.floor(number / 1_000_000), Math.floor(number / 1000) % 1000, number % 1000].join('.');
      const spoken = await lab.virshOk(['version']);
      expect(spoken).toContain(`Using library: libvirt ${version(info.libvirtVersion)}`);
      expect(spoken).toContain(`Running hypervisor: QEMU ${version(info.hypervisorVersion)}`);
      expect(info.hostname).toBe((await lab.virshOk(['hostname'])).trim());

      const domains = await hypervisor.listDomains();
      expect(domains).toEqual([{ uuid: guest.uuid, name: guest.name, id: 1 }]);
      expect(await hypervisor.lookup(guest.uuid)).toEqual(domains[0]);
      expect(await hypervisor.lookup('00000000-0000-0000-0000-000000000001')).toBeNull();
      expect(await hypervisor.domainState(guest.uuid)).toEqual({ state: 'running', reason: 1 });
      expect(await hypervisor.domainJob(guest.uuid)).toBe('none');
      expect(await hypervisor.domainXml(guest.uuid)).toBe(
        (await lab.virshOk(['dumpxml', guest.uuid])).trimEnd() + '\n',
      );
    });

    test('says by class what the daemon refuses', async () => {
      const { hypervisor } = client;
      const nobody = '00000000-0000-0000-0000-000000000001';
      await expect(hypervisor.domainXml(nobody)).rejects.toMatchObject({ class: 'DomainNotFound' });
      await expect(hypervisor.domainJob(nobody)).rejects.toMatchObject({ class: 'DomainNotFound' });
      await expect(hypervisor.memoryStats(nobody)).rejects.toMatchObject({ class: 'DomainNotFound' });
      await expect(hypervisor.attachDevice(guest.uuid, '<memory')).rejects.toMatchObject({ class: 'Rejected' });
      await expect(hypervisor.detachDeviceAlias(guest.uuid, 'ua-none')).rejects.toMatchObject({ class: 'Failed' });
    });

    test('plugs the module that was asked for, slot and alias; the same again is refused', async () => {
      await client.hypervisor.attachDevice(guest.uuid, dimm(3));
      await seen(client, 'deviceAdded', 'ua-dimmer-3');
      expect((await memory()).modules).toEqual([
        {
          slot: 3,
          base: expect.any(Number) as number,
          size: mib(128),
          alias: 'ua-dimmer-3',
          node: 0,
          pageSize: null,
          hostNodes: null,
        },
      ]);
      await expect(client.hypervisor.attachDevice(guest.uuid, dimm(3))).rejects.toMatchObject({ class: 'Rejected' });
      // Nobody answers in a guest without an operating system: the call succeeds, and nothing happens.
      await client.hypervisor.detachDeviceAlias(guest.uuid, aliasOfSlot(3));
      expect((await memory()).modules).toHaveLength(1);
    });

    test('keeps metadata with the running domain, whatever is in it', async () => {
      const { hypervisor } = client;
      expect(await hypervisor.getMetadata(guest.uuid, stateNamespace)).toBeNull();
      const state = {
        claim: { clusterId: `<>"'`, objectUid: ']]>', namespace: 'tenants', generation: 3 },
        marks: [
          {
            slot: 3,
            base: (await memory()).modules[0]?.base ?? mib(0),
            size: mib(128),
            alias: aliasOfSlot(3),
            generation: 3,
            firstAskedAtMs: 1_795_000_000_000,
            lastAskedAtMs: 1_795_000_000_000,
            attempts: 1,
            phase: 'leaving' as const,
          },
        ],
        replacement: { slot: 5, generation: 3 },
      };
      await hypervisor.setMetadata(guest.uuid, stateNamespace, statePrefix, writeState(state));
      expect(readState(await hypervisor.getMetadata(guest.uuid, stateNamespace))).toEqual({ ok: true, value: state });
      expect((await memory()).state).toEqual({ ok: true, value: state });
      await hypervisor.setMetadata(guest.uuid, stateNamespace, statePrefix, null);
      await hypervisor.setMetadata(guest.uuid, stateNamespace, statePrefix, null);
      expect(await hypervisor.getMetadata(guest.uuid, stateNamespace)).toBeNull();
    });

    test('sets the period of statistics; a guest without a driver never reports', async () => {
      await client.hypervisor.setMemoryStatsPeriod(guest.uuid, 2);
      expect((await memory()).balloon).toEqual({ model: 'virtio', statsPeriodSeconds: 2 });
      expect(await client.hypervisor.memoryStats(guest.uuid)).toMatchObject({
        available: null,
        resident: expect.any(Number) as number,
        lastUpdateMs: null,
      });
    });

    test('a domain without a balloon has statistics all the same: it is not taken for busy', async () => {
      const bare = await startGuest(lab, { kind: 'no-os', name: 'bare', balloon: false });
      expect((await client.hypervisor.statistics([bare.uuid]))[0]).toMatchObject({
        state: 'running',
        memory: { available: null, resident: expect.any(Number) as number },
      });
      await bare.destroy();
      await bare.undefine();
    });

    test('answers about a domain that is being changed at once', async () => {
      const qemu = lab.qemuPid(guest.uuid);
      process.kill(qemu, 'SIGSTOP'); // as if QEMU were preallocating huge pages
      const attaching = client.hypervisor.attachDevice(guest.uuid, dimm(4));
      try {
        await waitFor(async () => (await memory()).modules.length === 2, { what: 'the attach', timeoutMs: 5_000 });
        const before = performance.now();
        expect((await memory()).modules.find((module) => module.slot === 4)?.base).toBeNull();
        expect(await client.hypervisor.domainJob(guest.uuid)).toBe('busy');
        await expect(client.hypervisor.memoryStats(guest.uuid)).rejects.toMatchObject({ class: 'Busy' });
        expect(await client.hypervisor.domainState(guest.uuid)).toMatchObject({ state: 'running' });
        expect(performance.now() - before).toBeLessThan(1_000);
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
      await attaching;
      expect((await memory()).modules.every((module) => module.base !== null)).toBe(true);
    });

    describe('when libvirtd', () => {
      test('is killed and comes back, it comes back too, with events', async () => {
        const times = client.changes.filter((change) => change.kind === 'connected').length;
        await lab.killDaemon();
        await waitFor(() => !client.hypervisor.connected, { what: 'the loss to be noticed', timeoutMs: 5_000 });
        await expect(client.hypervisor.listDomains()).rejects.toMatchObject({ kind: 'disconnected', sent: false });
        await lab.startDaemon();
        await connected(client, times + 1);
        await client.hypervisor.attachDevice(guest.uuid, dimm(7));
        await seen(client, 'deviceAdded', 'ua-dimmer-7');
        expect(client.changes.filter((change) => change.kind === 'connected')).toHaveLength(times + 1);
      });

      test('is killed in the middle of a call, the outcome is unknown', async () => {
        const times = client.changes.filter((change) => change.kind === 'connected').length;
        const qemu = lab.qemuPid(guest.uuid);
        process.kill(qemu, 'SIGSTOP');
        const attaching = client.hypervisor.attachDevice(guest.uuid, dimm(8)).catch((error: unknown) => error);
        await waitFor(async () => (await memory()).modules.some((module) => module.slot === 8), {
          what: 'the attach',
          timeoutMs: 5_000,
        });
        await lab.killDaemon();
        process.kill(qemu, 'SIGCONT');
        expect(await attaching).toMatchObject({ kind: 'disconnected', sent: true });
        await lab.startDaemon();
        await connected(client, times + 1);
      });

      test('is frozen, that is noticed by its silence, and calls end as unknown', async () => {
        const quick = await connect(endpoint, { intervalMs: 200, count: 3 });
        lab.freezeDaemon();
        const started = performance.now();
        try {
          await expect(quick.hypervisor.listDomains()).rejects.toMatchObject({ kind: 'disconnected', sent: true });
          expect(performance.now() - started).toBeLessThan(3_000);
          expect(quick.hypervisor.connected).toBe(false);
        } finally {
          lab.thawDaemon();
        }
        await connected(quick, 2);
        expect(await quick.hypervisor.listDomains()).toHaveLength(1);
      });

      test('pings, it is answered: the connection outlives the 3 s after which a silent client is dropped here', async () => {
        const calm = await connect(endpoint, { intervalMs: 3_600_000, count: 3 }); // sends no ping of its own
        const until = performance.now() + 6_000;
        await waitFor(() => performance.now() > until, { what: 'twice that time', timeoutMs: 20_000 });
        expect(calm.changes.map((change) => change.kind)).toEqual(['connected']);
        expect(await calm.hypervisor.listDomains()).toHaveLength(1);
      });

      test('listens where the modular daemon does, it is found there', async () => {
        const modular = join(lab.socketDirectory, 'virtqemud-sock');
        await rename(lab.socketPath, modular);
        try {
          const found = await connect({ ...endpoint, sockets: [modular, lab.socketPath] });
          expect(await found.hypervisor.listDomains()).toHaveLength(1);
          const second = await connect({ ...endpoint, sockets: ['/nowhere/virtqemud-sock', modular] });
          expect(await second.hypervisor.listDomains()).toHaveLength(1);
        } finally {
          await rename(modular, lab.socketPath);
        }
      });
    });

    test('tells lifecycle events of a domain that is destroyed', async () => {
      await lab.virshOk(['destroy', guest.uuid]);
      await waitFor(() => client.events.some((event) => event.kind === 'lifecycle' && event.change === 'stopped'), {
        what: 'the stop',
        timeoutMs: 10_000,
      });
      await expect(client.hypervisor.attachDevice(guest.uuid, dimm(1))).rejects.toMatchObject({ kind: 'call' });
    });
  },
  ['hypervisor'],
);
