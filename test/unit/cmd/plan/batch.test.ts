/** `dimmer plan --batch`. */
import { describe, expect, test } from 'vitest';
import { run } from './support.ts';

type Answer = Record<string, unknown>;

async function batch(...lines: readonly unknown[]): Promise<{ exit: number | null; answers: Answer[] }> {
  const stdin = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  const { exit, stdout, stderr } = await run(['--batch'], stdin);
  expect(stderr).toBe('');
  return { exit, answers: stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Answer])) };
}

const vm = { boot: '1Gi', modules: ['384Mi', '256Mi', '256Mi'], memory: '1408Mi' };

test('one plan a line, in order, with the id as it came', async () => {
  const { exit, answers } = await batch(
    { ...vm, id: 'a' },
    { ...vm, id: { nested: 1 }, memory: '1920Mi' },
    { ...vm, memory: '1Mi' },
  );
  expect(exit).toBe(0);
  expect(answers.map(({ id, decision, reason }) => [id, decision, reason])).toEqual([
    ['a', 'unplug', 'Unplugging'],
    [{ nested: 1 }, 'noop', 'Converged'],
    [undefined, 'blocked', 'BelowBootMemory'],
  ]);
});

test('a bad line is answered in its place; the others are planned', async () => {
  const { exit, answers } = await batch({ ...vm, id: 1 }, 'no json', { ...vm, id: 3, boot: '0' }, '', { ...vm, id: 4 });
  expect(exit).toBe(1);
  expect(answers.map(({ id, error, decision }) => [id, error, decision])).toEqual([
    [1, undefined, 'unplug'],
    [undefined, 'line: is no JSON', undefined],
    [3, 'boot: must be more than 0', undefined],
    [4, undefined, 'unplug'],
  ]);
});

test('nothing in, nothing out', async () => {
  expect(await batch()).toEqual({ exit: 0, answers: [] });
});

test('lines may come in any pieces', async () => {
  const bytes = Buffer.from(`${JSON.stringify({ ...vm, id: 'ünï' })}\r\n${JSON.stringify({ ...vm, id: 2 })}`);
  const { stdout } = await run(
    ['--batch'],
    Array.from(bytes, (byte) => Buffer.from([byte])),
  );
  expect(stdout.split('\n').map((line) => (line === '' ? null : (JSON.parse(line) as Answer)['id']))).toEqual([
    'ünï',
    2,
    null,
  ]);
});

describe('every field says something', () => {
  const module = { size: '512Mi', slot: 2, alias: 'ua-x', node: 0, base: 2 ** 32 };
  const cases: [string, Answer, Answer][] = [
    ['sizes as numbers of bytes', { boot: 2 ** 30, memory: 2 ** 31 }, { resultMemory: '2Gi' }],
    ['boot by node', { boot: ['1Gi', '1Gi'], memory: '3Gi', grow: 'Whole' }, { steps: [{ node: 0, size: '1Gi' }] }],
    ['a module in full', { modules: [module], memory: '1Gi' }, { steps: [{ slot: 2, alias: 'ua-x' }] }],
    [
      'a leaving module, asked again',
      { modules: [{ ...module, state: 'Leaving' }], memory: '1Gi' },
      { decision: 'wait', askAgain: 2 },
    ],
    [
      'a quarantined module',
      { modules: [{ ...module, refusals: 1, quarantined: true, retryAfter: 'noon' }], memory: '1Gi' },
      { reason: 'GuestRefused', message: expect.stringContaining('noon') as string },
    ],
    ['slots', { slots: 0, memory: '2Gi' }, { reason: 'SlotsExhausted' }],
    ['slotsUsed', { slots: 2, slotsUsed: [0], memory: '2Gi' }, { steps: [{ slot: 1 }] }],
    ['slotsResting', { slots: 1, slotsResting: [0], memory: '2Gi' }, { reason: 'VMBusy', decision: 'wait' }],
    ['maxMemory', { maxMemory: '1Gi', memory: '2Gi' }, { reason: 'ExceedsMaxMemory' }],
    ['no maxMemory', { maxMemory: 'unsupported', memory: '2Gi' }, { reason: 'HotplugUnsupported' }],
    ['otherBytes', { maxMemory: '2Gi', otherBytes: '1Mi', memory: '2Gi' }, { reason: 'ExceedsMaxMemory' }],
    ['granularity', { granularity: '2Gi', memory: '2Gi' }, { reason: 'Misaligned' }],
    ['pageSize', { pageSize: '1Gi', memory: '3Gi' }, { steps: [{ size: '1Gi' }, { size: '1Gi' }] }],
    ['hostFree', { hostFree: 0, memory: '2Gi' }, { reason: 'InsufficientHostMemory' }],
    ['hugepagesFree', { pageSize: '2Mi', hugepagesFree: '0', memory: '2Gi' }, { reason: 'HugepagesUnavailable' }],
    ['booting', { booting: true, memory: '2Gi' }, { reason: 'WaitingForGuest' }],
    ['cordoned', { cordoned: true, memory: '2Gi' }, { reason: 'HostCordoned' }],
    ['shrink', { modules: ['1Gi'], memory: '1536Mi', shrink: 'Nearest' }, { reason: 'ConvergedNearest' }],
    ['grow', { memory: '2Gi', grow: 'Whole' }, { steps: [{ size: '1Gi' }] }],
    ['no guestSafety', { modules: ['1Gi'], memory: '1Gi' }, { decision: 'unplug' }],
    [
      'guestSafety and guest',
      { modules: ['1Gi'], memory: '1Gi', guestSafety: 'Required', guest: { usable: '1Gi', total: '2Gi', fresh: true } },
      { reason: 'GuestMemoryInUse' },
    ],
    [
      'guestSafety alone',
      { modules: ['1Gi'], memory: '1Gi', guestSafety: 'Required' },
      { reason: 'GuestMemoryUnknown' },
    ],
  ];
  test.each(cases)('%s', async (_, line, expected) => {
    const { answers } = await batch({ boot: '1Gi', ...line });
    expect(answers).toHaveLength(1);
    const [{ steps, ...rest } = {}] = answers;
    const { steps: expectedSteps, ...others } = expected;
    expect(rest).toMatchObject(others);
    if (expectedSteps !== undefined) expect(steps).toMatchObject(expectedSteps as unknown[]);
  });
});

test('modules that name a slot and modules that do not share the slots', async () => {
  const { answers } = await batch({
    boot: '1Gi',
    memory: '1Gi',
    modules: ['128Mi', { size: '256Mi', slot: 0 }, '512Mi'],
    slotsUsed: [1],
  });
  expect(answers).toMatchObject([{ steps: [{ slot: 3 }, { slot: 0 }, { slot: 2 }] }]);
});

describe('an error names the field', () => {
  const cases: [unknown, string][] = [
    [[], 'line'],
    [null, 'line'],
    [{ memory: '1Gi' }, 'boot'],
    [{ boot: '1Gi' }, 'memory'],
    [{ ...vm, memory: '1.5' }, 'memory'],
    [{ ...vm, memory: -1 }, 'memory'],
    [{ ...vm, memory: 1.5 }, 'memory'],
    [{ ...vm, memory: 2 ** 53 }, 'memory'],
    [{ ...vm, memory: true }, 'memory'],
    [{ ...vm, boot: [] }, 'boot'],
    [{ ...vm, boot: ['1Gi', '0'] }, 'boot[1]'],
    [{ ...vm, modules: ['1Gi', '-1Gi'] }, 'modules[1]'],
    [{ ...vm, modules: [{}] }, 'modules[0].size'],
    [{ ...vm, modules: [{ size: '0' }] }, 'modules[0].size'],
    [{ ...vm, modules: [{ size: '1Gi', colour: 'red' }] }, 'modules[0].colour'],
    [{ ...vm, modules: [{ size: '1Gi', state: 'Gone' }] }, 'modules[0].state'],
    [{ ...vm, modules: [{ size: '1Gi', slot: 16 }] }, 'modules[0].slot'],
    [{ ...vm, modules: [{ size: '1Gi', node: 1 }] }, 'modules[0].node'],
    [{ ...vm, modules: [{ size: '1Gi', base: '0x1' }] }, 'modules[0].base'],
    [{ ...vm, modules: [{ size: '1Gi', refusals: -1 }] }, 'modules[0].refusals'],
    [{ ...vm, modules: [{ size: '1Gi', quarantined: 'no' }] }, 'modules[0].quarantined'],
    [
      {
        ...vm,
        modules: [
          { size: '1Gi', slot: 1 },
          { size: '1Gi', slot: 1 },
        ],
      },
      'modules[1].slot',
    ],
    [
      {
        ...vm,
        modules: [
          { size: '1Gi', alias: 'a' },
          { size: '1Gi', alias: 'a' },
        ],
      },
      'modules[1].alias',
    ],
    [{ ...vm, modules: ['5Pi', '5Pi'] }, 'modules'],
    [{ ...vm, slots: 2 }, 'slots'],
    [{ ...vm, slots: 257 }, 'slots'],
    [{ ...vm, slotsUsed: [16] }, 'slotsUsed[0]'],
    [{ ...vm, slotsUsed: 3 }, 'slotsUsed'],
    [{ ...vm, slotsResting: [16] }, 'slotsResting[0]'],
    [{ ...vm, maxMemory: '1Gi' }, 'maxMemory'],
    [{ ...vm, maxMemory: 'unlimited' }, 'maxMemory'],
    [{ ...vm, otherBytes: 'x' }, 'otherBytes'],
    [{ ...vm, granularity: '0' }, 'granularity'],
    [{ ...vm, pageSize: '0' }, 'pageSize'],
    [{ ...vm, hostFree: '-1' }, 'hostFree'],
    [{ ...vm, hugepagesFree: null }, 'hugepagesFree'],
    [{ ...vm, booting: 1 }, 'booting'],
    [{ ...vm, cordoned: 'yes' }, 'cordoned'],
    [{ ...vm, guest: { usable: '1Gi', total: '1Gi' } }, 'guest.fresh'],
    [{ ...vm, guest: { usable: '1Gi', total: '1Gi', fresh: true, swap: 0 } }, 'guest.swap'],
    [{ ...vm, guestSafety: 'off' }, 'guestSafety'],
    [{ ...vm, shrink: 'Greedy' }, 'shrink'],
    [{ ...vm, grow: 'Greedy' }, 'grow'],
    [{ ...vm, memroy: '1Gi' }, 'memroy'],
  ];
  test.each(cases)('%j: %s', async (line, field) => {
    const { exit, answers } = await batch(line);
    expect(exit).toBe(1);
    expect(answers).toHaveLength(1);
    const error = String(answers[0]?.['error']);
    expect([`${field}:`, `${field} `]).toContain(error.slice(0, field.length + 1));
  });
});
