/** A libvirtd that sends broken, huge and endless frames: the agent lives, says so, keeps what it takes, and recovers. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { unitEnvironment } from '../../bench/agent/program.ts';
import { codeOf, eventually, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { capturedFrames, mutate, mutation } from '../../unit/libvirt/support/captured-frames.ts';
import { FakeDaemon, FakePeer, type ReceivedCall } from '../../unit/libvirt/support/fake-daemon.ts';
import { frameBytes, wire } from '../../unit/libvirt/support/wire.ts';
import { createAgentPki } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';

/** What is done with a connection to the socket that the agent takes for libvirtd's. */
type Behaviour = (agent: Socket) => void;

const fromDaemon = capturedFrames.filter((frame) => frame.fromDaemon);
const messages = fromDaemon.filter(({ bytes }) => bytes.readUInt32BE(16) === 2);
/** What libvirtd answered to such a call. */
const replyTo = ({ procedure, serial }: ReceivedCall): Buffer | undefined => {
  const reply = fromDaemon.find(({ bytes }) => bytes.readUInt32BE(16) === 1 && bytes.readInt32BE(12) === procedure);
  const aimed = reply === undefined ? undefined : Buffer.from(reply.bytes);
  aimed?.writeUInt32BE(serial, 20);
  return aimed;
};
/** Those of a fresh connection, and of the agent's first look at the domain that is running. */
const attacked = [66, 60, 1, 316, 273, 14] as const;

/** What a round may add to the agent's resident memory, KiB. */
const toleranceKib = 6 * 1024;
/** How far it may go up for a moment, KiB: V8 collects when it has to. */
const peakKib = 96 * 1024;

await describeLab(
  'an agent whose libvirtd is broken',
  () => {
    let lab: Lab;
    let agent: AgentProcess;
    let server: Server;
    let behaviour: Behaviour;
    const connections = new Set<Socket>();
    let accepted = 0;

    const good: Behaviour = (socket) => {
      const libvirtd = connect({ path: lab.hypervisor.socketPath });
      socket.pipe(libvirtd).pipe(socket);
      libvirtd.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => libvirtd.destroy());
    };
    /** Answers as libvirtd did, except where `answer` gives something else. */
    const asCaptured =
      (answer: (call: ReceivedCall, socket: Socket) => Buffer | null): Behaviour =>
      (socket) => {
        const daemon = new FakeDaemon();
        const usual = daemon.handle.bind(daemon);
        daemon.handle = (call) => {
          const broken = answer(call, socket);
          const reply = broken ?? replyTo(call);
          if (reply === undefined) return usual(call);
          socket.write(reply);
          return 'silence';
        };
        new FakePeer(daemon, socket);
      };
    const serve = (next: Behaviour): void => {
      behaviour = next;
      for (const socket of connections) socket.destroy();
    };
    const lost = () =>
      agent.lines.filter(({ msg }) => msg === 'libvirt is lost' || msg === 'libvirt cannot be reached');
    /** Waits until the agent has noticed and said that so many connections more have ended. */
    const saysLost = (before: number, times = 1) =>
      waitFor(() => lost().length >= before + times, { what: 'the agent to say so', timeoutMs: 30_000 });
    const recovers = async (): Promise<void> => {
      serve(good);
      await eventually('libvirt is back', async () => ((await agent.client.facts()).ok ? true : null), 30_000);
      const { virtualMachines } = valueOf(await agent.client.facts());
      expect(virtualMachines).toBe(1);
    };
    const descriptors = (): number => readdirSync(`/proc/${agent.pid}/fd`).length;
    const residentKib = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]);

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'no-os' }] });
      const path = join(lab.hypervisor.directory, 'front.sock');
      behaviour = good;
      server = createServer((socket) => {
        accepted += 1;
        connections.add(socket);
        socket.on('error', () => undefined).on('close', () => connections.delete(socket));
        behaviour(socket);
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      const pki = await createAgentPki(lab.hypervisor.directory);
      agent = await startAgentProcess([`--libvirt-uri=qemu:///system?socket=${path}`], pki, {
        env: unitEnvironment(),
      });
    });
    afterAll(async () => {
      await agent.end('SIGTERM');
      for (const socket of connections) socket.destroy();
      server.close();
      await lab.stop();
    });
    beforeEach(() => recovers());

    test('broken frames, fuzzed from captured ones: it goes on, with the memory and the descriptors that it had', async () => {
      const cases = fc.sample(fc.tuple(fc.constantFrom(...attacked), fc.constantFrom(...messages), mutation), {
        numRuns: 60,
        seed: 11,
      });
      const descriptorsBefore = descriptors();
      const round = async (): Promise<void> => {
        for (const [index, [procedure, message, change]] of cases.entries()) {
          const said = lost().length;
          // After a good handshake the next attempt comes at once; after failures it would take longer and longer.
          const isLate = index % 2 === 1;
          serve(
            asCaptured((call, socket) => {
              const target = isLate ? 14 : procedure;
              if (call.procedure !== target) return null;
              // Not destroyed: an agent that writes meanwhile would hear of that before it reads what is broken.
              setTimeout(() => socket.end(), 20);
              const reply = replyTo(call) ?? Buffer.alloc(0);
              return isLate ? Buffer.concat([reply, mutate(message.bytes, change)]) : mutate(reply, change);
            }),
          );
          await saysLost(said);
          expect(['ok', 'hypervisor-unreachable', 'outcome-unknown', 'internal-error']).toContain(
            codeOf(await agent.client.facts()),
          );
        }
      };
      await round();
      await recovers();
      const before = residentKib();
      await round();
      await recovers();
      expect(residentKib() - before).toBeLessThan(toleranceKib);
      expect(descriptors()).toBeLessThanOrEqual(descriptorsBefore);
      const reasons = lost().map(({ err }) => String(err));
      expect(reasons.filter((reason) => reason.includes("is not libvirt's protocol")).length).toBeGreaterThan(10);
      expect(accepted).toBeGreaterThan(2 * cases.length);
    }, 180_000);

    /** The bytes of a 28-byte header that announces a frame of `length` bytes. */
    const announce = (length: number): Buffer => {
      const header = frameBytes({ procedure: 318, type: 2 });
      header.writeUInt32BE(length, 0);
      return header;
    };

    const frames: readonly (readonly [string, RegExp, (socket: Socket) => void])[] = [
      [
        'longer than any may be',
        /frame length 4294967295 is out of range/,
        (socket) => void socket.write(announce(0xffffffff)),
      ],
      [
        'of 32 MiB that never ends',
        /no answer within 10000 ms/,
        (socket) => {
          socket.write(announce(32 * 1024 * 1024));
          const timer = setInterval(() => void socket.write(Buffer.alloc(1024)), 100);
          socket.on('close', () => clearInterval(timer));
        },
      ],
      [
        'of 32 MiB, one after the other',
        /what arrived is not libvirt's protocol/,
        (socket) => {
          const frame = frameBytes({ procedure: 318, type: 2 }, Buffer.alloc(32 * 1024 * 1024 - 28));
          for (let count = 0; count < 4; count += 1) socket.write(frame);
        },
      ],
    ];
    test.each(frames)(
      'a frame %s, instead of the first answer: the connection is given up',
      async (_what, reason, attack) => {
        const before = { said: lost().length, descriptors: descriptors(), residentKib: residentKib() };
        serve(
          asCaptured((_call, socket) => {
            attack(socket);
            return Buffer.alloc(0);
          }),
        );
        await saysLost(before.said, 2);
        expect(String(lost().at(-1)?.['err'])).toMatch(reason);
        expect(codeOf(await agent.client.facts())).toBe('hypervisor-unreachable');
        expect(residentKib() - before.residentKib).toBeLessThan(peakKib);
        await recovers();
        expect(descriptors()).toBeLessThanOrEqual(before.descriptors);
      },
    );

    test('events without an end: what they make the agent ask is bounded, and the connection is given up', async () => {
      const before = { descriptors: descriptors(), residentKib: residentKib() };
      const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';
      const started = frameBytes(
        { procedure: 318, type: 2 },
        Buffer.concat([wire.int(1), wire.domain(uuid, 'vm', 1), wire.int(2), wire.int(0)]),
      );
      const flood = Buffer.concat(Array.from({ length: 500 }, () => started));
      const pour = (socket: Socket): void => {
        while (!socket.destroyed && socket.write(flood));
        if (!socket.destroyed) socket.once('drain', () => pour(socket));
      };
      const flooded = new Set<Socket>();
      serve(
        asCaptured((call, socket) => {
          // The first question about a domain is answered, so that the agent is satisfied and listens.
          if (call.procedure !== 14) return null;
          if (flooded.has(socket)) return Buffer.alloc(0);
          flooded.add(socket);
          setImmediate(() => pour(socket));
          return null;
        }),
      );
      let most = 0;
      const overrun = () => lost().filter(({ err }) => String(err).includes('calls wait for the daemon')).length;
      await waitFor(
        () => {
          most = Math.max(most, residentKib());
          return overrun() >= 10;
        },
        { what: 'ten floods to be cut off', timeoutMs: 60_000, intervalMs: 20 },
      );
      // The calls of one flood, and what V8 has not collected yet. Ten that were kept would be above its limit.
      expect(most - before.residentKib).toBeLessThan(peakKib);
      await recovers();
      expect(descriptors()).toBeLessThanOrEqual(before.descriptors);
    });
  },
  ['hypervisor'],
);
