/** The agent in the guest, through libvirt: what is asked, and what becomes of answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLibvirtDriver } from '../../../src/drivers/libvirt/driver.ts';
import { readGuestBlocks } from '../../../src/libvirt/domain/guest-agent.ts';
import { createHypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { Session } from '../../../src/libvirt/rpc/session.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { type Answer, FakeDaemon, type ReceivedCall } from './support/fake-daemon.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { wire } from './support/wire.ts';

const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';
const info = '{"return":{"size":134217728}}';
const block = (index: number, online: boolean) => ({ 'phys-index': index, online, 'can-offline': true });
const blocks = (...online: readonly boolean[]) =>
  JSON.stringify({ return: online.map((each, index) => block(index, each)) });
const some = (text: string): Buffer => Buffer.concat([wire.int(1), wire.string(text)]);

async function ask(answers: readonly Answer[]) {
  const daemon = new FakeDaemon();
  const calls: ReceivedCall[] = [];
  daemon.monitor = (call) => {
    calls.push(call);
    return answers[calls.length - 1] ?? 'silence';
  };
  const session = new Session({
    ...{ endpoint: { transport: 'unix', sockets: ['/nowhere'], openUri: 'qemu:///system' }, dial: daemon.dial },
    ...{ clock: new ManualClock(), random: () => 0 },
  });
  const driver = createLibvirtDriver(createHypervisor(session));
  driver.start();
  await settle();
  return { calls, answer: driver.memoryBlocks(uuid) };
}

describe('the agent in a guest', () => {
  test('is asked two things, each with a bound of 3 s, and its blocks are counted', async () => {
    const { calls, answer } = await ask([some(info), some(blocks(true, true, false))]);
    expect(await answer).toEqual({ blocks: { size: mib(128), online: 2, offline: 1 }, problem: null });
    const sent = ['guest-get-memory-block-info', 'guest-get-memory-blocks'].map((command) => ({
      ...{ program: 0x20008087, procedure: 3 },
      payload: Buffer.concat([
        wire.domain(uuid, '', -1),
        wire.string(`{"execute":"${command}"}`),
        ...[wire.int(3), wire.int(0)],
      ]),
    }));
    expect(calls).toMatchObject(sent);
  });

  test.each<[string, Answer[], string]>([
    ['a domain without a channel', [{ code: 74, domain: 10, text: 'QEMU guest agent is not configured' }], 'NoChannel'],
    ['one that does not run', [{ code: 86, domain: 10, text: 'QEMU guest agent is not connected' }], 'Silent'],
    ['one that is too slow', [some(info), { code: 112, domain: 10, text: 'timed out' }], 'Silent'],
    ['one that may not', [some(info), { code: 1, domain: 10, text: 'Command has been disabled' }], 'Refused'],
    ['rubbish', [some(info), some('{"return":[{"online":"yes"}]}')], 'Refused'],
    ['nothing', [some(info), wire.int(0)], 'Refused'],
  ])('%s is an answer', async (_, answers, problem) => {
    const { answer } = await ask(answers);
    expect(await answer).toEqual({ blocks: null, problem });
  });

  test('a domain that is gone is a failure, as anywhere', async () => {
    const { answer } = await ask([{ code: 42, domain: 10, text: 'no domain' }]);
    await expect(answer).rejects.toMatchObject({ class: 'DomainNotFound' });
  });

  test('whatever it says, something is made of it or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.oneof(fc.string(), fc.json()), (about, list) => {
        for (const [one, other] of [
          [about, list],
          [info, list],
          [about, blocks(true)],
        ] as const) {
          const read = readGuestBlocks(one, other);
          if (read !== null) expect(read.online + read.offline).toBeGreaterThanOrEqual(0);
        }
      }),
    );
    expect(readGuestBlocks('{"return":{"size":0}}', blocks(true))).toBeNull();
    expect(readGuestBlocks('{"return":{"size":1e300}}', blocks(true))).toBeNull();
    expect(readGuestBlocks(info, JSON.stringify({ return: Array(65_537).fill(block(0, true)) }))).toBeNull();
  });
});
