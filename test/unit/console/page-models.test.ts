/** What the console's page shows, before it is drawn. */
import { describe, expect, test } from 'vitest';
import { windowOf } from '../../../src/console/page/list/window.ts';
import { boardOf, freeText } from '../../../src/console/page/model/board.ts';
import { choicesOf, countTones, filterRows, rowOf } from '../../../src/console/page/model/list.ts';
import { formatRoute, noFilter, parseRoute, type Route } from '../../../src/console/page/model/route.ts';
import { shelfOf } from '../../../src/console/page/model/shelf.ts';
import { offersFor, sizesBeyond } from '../../../src/console/page/model/offers.ts';
import { reaches, sizesOf } from '../../../src/console/page/model/sizes.ts';
import {
  actionOf,
  ceilingText,
  floorText,
  reportAge,
  valueText,
  wayOf,
} from '../../../src/console/page/model/words.ts';
import { otherWays } from '../../../src/console/page/vm/draft.ts';
import { readSize } from '../../../src/console/page/model/typed.ts';
import { createSseReader } from '../../../src/console/page/wire/sse.ts';
import { decodeHypervisorHost } from '../../../src/api/v1alpha1/decode.ts';
import { formatQuantity, parseQuantity } from '../../../src/memory/quantity.ts';
import type { Bytes } from '../../../src/memory/bytes.ts';
import type { LivePlan } from '../../../src/preview/live-plan.ts';
import { decoded, machine, type MachineDraft } from '../../support/console/machines.ts';
import { busy, crowd, hosts, inUse, replaceable, settled } from '../../support/console/scenes.ts';

const size = (text: string): Bytes => {
  const read = parseQuantity(text);
  if (!read.ok) throw new Error(read.error);
  return read.value;
};
const sizesIn = (draft: MachineDraft) => {
  const read = sizesOf(decoded(machine(draft)));
  if (!read.ok) throw new Error(read.error);
  return read.value;
};
const planAt = (from: ReturnType<typeof sizesIn>, text: string): LivePlan => {
  const planned = from.planFor(size(text));
  if (!planned.ok) throw new Error(planned.error);
  return planned.value;
};
const valueOf = <T>(
  read: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string },
): T => {
  if (!read.ok) throw new Error(read.error);
  return read.value;
};

describe('the slider', () => {
  const three: MachineDraft = {
    name: 'db',
    boot: ['1Gi'],
    modules: [
      { slot: 0, size: '1Gi' },
      { slot: 1, size: '1Gi' },
    ],
    usable: '2Gi',
    max: '8Gi',
  };

  test('snaps to sizes that modules make', () => {
    const { snap, next } = sizesIn(three);
    expect(formatQuantity(snap(size('2100Mi')))).toBe('2Gi');
    expect(formatQuantity(next(size('3Gi'), 'down') ?? (0 as Bytes))).toBe('2Gi');
    expect(formatQuantity(next(size('3Gi'), 'up') ?? (0 as Bytes))).toBe('3200Mi');
  });

  test('has what the guest uses for a floor that it does not cross', () => {
    const sizes = sizesIn(three);
    expect(sizes.floor.why).toBe('inUse');
    expect(floorText(sizes.floor)).toBe('below 1178Mi the guest would lose memory that it uses');
    expect(formatQuantity(sizes.snap(0))).toBe('2Gi');
    expect(sizes.next(size('2Gi'), 'down')).toBe(null);
  });

  test('goes as low as boot memory where guest safety is off', () => {
    const sizes = sizesIn({ ...three, usable: '200Mi', spec: { guestSafety: 'Off' } });
    expect([sizes.floor.why, formatQuantity(sizes.snap(0))]).toEqual(['boot', '1Gi']);
  });

  test('takes nothing from a guest of which nothing is known', () => {
    const sizes = sizesIn({ ...three, usable: null });
    expect([sizes.floor.why, formatQuantity(sizes.snap(0))]).toEqual(['unknown', '3Gi']);
  });

  test.each([
    ['the maximum', {}, '8Gi', '8Gi is the most that this VM may have'],
    ['its memory map', { max: '64Gi', slots: 64 }, '16Gi', '16Gi is the most with so little boot memory'],
    ['the room of the host', { room: '2Gi' }, '5Gi', 'above 5Gi the host has no room now'],
    [
      'the room of its namespace',
      { room: '1Gi', namespaceRoom: '1Gi' },
      '4Gi',
      'above 4Gi its namespace may have no more of the host',
    ],
    ['a cordon', { cordoned: true }, '3Gi', 'no more: the host is cordoned'],
    ['the slots', { slots: 2 }, '3Gi', 'above 3Gi there is no free slot'],
  ])('has %s for a ceiling', (_, more, most, text) => {
    const sizes = sizesIn({ ...three, ...more });
    expect(formatQuantity(sizes.snap(size('64Gi')))).toBe(most);
    expect(ceilingText(sizes.ceiling)).toBe(text);
  });

  test('says what the button does, and how', () => {
    const sizes = sizesIn(three);
    expect(actionOf(planAt(sizes, '2Gi'), '3Gi')).toBe('Take out 1 module');
    expect(actionOf(planAt(sizes, '3200Mi'), '3Gi')).toBe('Plug in 1 module');
    expect(actionOf(planAt(sizes, '3Gi'), '3Gi')).toBe('Nothing to change');
    expect(actionOf(planAt(sizes, '3Gi'), '5Gi')).toBe('Keep 3Gi');
    expect(valueText(planAt(sizes, '2Gi'))).toBe('2Gi: unplug 1Gi (slot 1) to go from 3Gi to 2Gi');
    const legacy = valueOf(sizesOf(decoded(replaceable())));
    const below = legacy.next(size('8Gi'), 'down');
    const live = planAt(legacy, formatQuantity(below ?? (0 as Bytes)));
    expect([wayOf(live), actionOf(live, '8Gi')]).toEqual(['Replace', 'Plug in 1 module, then take out 1']);
    expect(reaches(live.request, live.plan)).toBe(true);
  });

  test('names the policies by which a size comes nearer to a wish, and what the guest has then', () => {
    const resource = decoded(machine(three));
    const others = otherWays(resource, null);
    const own = valueOf(sizesOf(resource));
    const offered = (wish: string) =>
      offersFor(size(wish), own, others).map((offer) => [
        offer.shrink,
        formatQuantity(offer.size),
        formatQuantity(offer.result),
      ]);
    // Nearest takes nothing for that: no module is small enough.
    expect(offered('2500Mi')).toEqual([['Replace', '2560Mi', '2560Mi']]);
    expect(offered('2Gi')).toEqual([]);
    expect(offered('3200Mi')).toEqual([]);
    // The guest can spare no more: 1178Mi it uses itself.
    expect(offered('1Gi')).toEqual([
      ['Replace', '1280Mi', '1280Mi'],
      ['Nearest', '1280Mi', '2Gi'],
    ]);
  });

  test('of another policy says so on the button, and that it is the policy alone that is set', () => {
    const resource = decoded(machine(three));
    const replacing = valueOf(sizesOf(resource, 'Replace'));
    const live = planAt(replacing, '2560Mi');
    expect(actionOf(live, '3Gi', 'Replace')).toBe('Plug in 1 module, then take out 1, with Replace');
    expect(valueText(live)).toMatch(/^2560Mi with Replace: plug 512Mi, then unplug 1Gi /);
    expect(actionOf(planAt(replacing, '3Gi'), '3Gi', 'Replace')).toBe('Set shrinkPolicy Replace');
    expect(sizesOf(resource, 'Exact')).toMatchObject({ ok: true });
  });

  test('has marks for what only a replacement reaches, where they can be told apart', () => {
    const resource = decoded(machine(three));
    const beyond = sizesBeyond(valueOf(sizesOf(resource)), valueOf(sizesOf(resource, 'Replace')), 97);
    expect(beyond.map(formatQuantity)).toEqual([
      ...['1280Mi', '1408Mi', '1536Mi', '1664Mi', '1792Mi', '1920Mi'],
      ...['2176Mi', '2304Mi', '2432Mi', '2560Mi', '2688Mi', '2816Mi', '2944Mi'],
    ]);
    expect(sizesBeyond(valueOf(sizesOf(resource)), valueOf(sizesOf(resource, 'Replace')), 5)).toEqual([]);
  });

  test('of a VM that is not known well enough says what is missing', () => {
    const { status: _, ...raw } = machine(three);
    expect(sizesOf(decoded(raw))).toMatchObject({ ok: false });
  });
});

describe('the board', () => {
  const now = Date.now();

  test('has a frame a NUMA node, with its bank and its modules', () => {
    const board = boardOf(decoded(busy(now)), [], now);
    expect(board.frames.map(({ node, boot, slots }) => [node, boot, slots.map(({ state }) => state)])).toEqual([
      [0, '2Gi', ['plugged', 'plugged', 'plugged']],
      [1, '2Gi', ['leaving', 'refused', 'asked-again']],
    ]);
    expect(board.frames[1]?.slots.map(({ note }) => note)).toEqual([
      'asked to leave for 3m15s',
      'refused 3 times, asked again in 1m40s',
      'refused 1h6m ago, may be asked again',
    ]);
    expect(board.empty.map(({ slot, state }) => [slot, state])).toEqual([
      [6, 'resting'],
      [22, 'other'],
      [23, 'other'],
    ]);
    expect(freeText(board.free)).toBe('7–21');
  });

  test('shows of a plan what leaves and what comes, in its order', () => {
    const resource = decoded(settled());
    const live = planAt(valueOf(sizesOf(resource)), '4608Mi');
    const goes = boardOf(resource, live.steps, now).frames.flatMap(({ slots }) => slots);
    expect(goes.filter(({ step }) => step !== null).map(({ slot, state, step }) => [slot, state, step])).toEqual([
      [2, 'goes', 2],
      [3, 'goes', 1],
    ]);
    const grow = planAt(valueOf(sizesOf(resource)), '7Gi');
    const comes = boardOf(resource, grow.steps, now).frames.flatMap(({ slots }) => slots);
    expect(
      comes.filter(({ state }) => state === 'comes').map(({ slot, size: text, step }) => [slot, text, step]),
    ).toEqual([
      [5, '256Mi', 1],
      [6, '768Mi', 2],
    ]);
  });

  test('knows how old a report is', () => {
    const resource = decoded(machine({ name: 'a', reportedFor: 21 }, now));
    expect(reportAge(resource, now)).toBe(21_000);
    expect(reportAge(decoded(machine({ name: 'a', usable: null })), now)).toBe(null);
  });
});

describe('the list', () => {
  const rows = [busy(), settled(), inUse(), ...crowd(20)].map((raw) => rowOf(decoded(raw)));

  test('has what needs a human first', () => {
    const tones = filterRows(rows, noFilter).map(({ tone }) => tone);
    expect([...new Set(tones)]).toEqual(['danger', 'warning', 'moving', 'paused', 'good']);
  });

  test('is searched by all words, in whatever a VM is known by, and narrowed by each choice', () => {
    const names = (change: Partial<typeof noFilter>) =>
      filterRows(rows, { ...noFilter, ...change }).map(({ key }) => key);
    expect(names({ text: 'REFUSED etl' })).toEqual(['analytics/etl-worker-7']);
    expect(names({ host: 'hv-2', namespace: 'analytics' })).toEqual(['analytics/etl-worker-7', 'analytics/vm-0007']);
    expect(names({ reason: 'GuestMemoryInUse' })).toEqual(['default/cache-3']);
    expect(names({ text: 'nothing like it' })).toEqual([]);
    expect(names({ sort: 'size' })[0]).toBe('analytics/etl-worker-7');
  });

  test('counts what there is to choose', () => {
    expect(choicesOf(rows, () => '')).toEqual([]);
    expect(choicesOf(rows, ({ host }) => host)[0]).toEqual(['hv-1', 6]);
    expect(countTones(rows).reduce((sum, [, count]) => sum + count, 0)).toBe(rows.length);
  });

  test.each([
    [0, 0, 0],
    [1000, 0, 0],
    [1000, 12_345, 12_345],
    [1000, 900_000, 39_200],
    [3, -50, 0],
  ])('of %d rows draws those that are seen, %d pixels down', (count, top, seenTop) => {
    const { first, last, before, after } = windowOf(count, 40, top, 800);
    expect(before).toBe(first * 40);
    expect(after).toBe((count - last) * 40);
    expect(last - first).toBeLessThanOrEqual(40);
    expect(first * 40).toBeLessThanOrEqual(seenTop);
    expect(last * 40).toBeGreaterThanOrEqual(Math.min(count * 40, seenTop + 800));
  });
});

test('a shelf holds the VMs of its host, and what waits for room on it', () => {
  const rows = crowd(20).map((raw) => rowOf(decoded(raw)));
  const [first] = hosts().map((raw) => valueOf(decodeHypervisorHost(raw)));
  if (first === undefined) throw new Error('no host');
  const shelf = shelfOf(first, rows);
  expect(shelf.vms.map(({ row }) => row.name)).toEqual(['vm-0006', 'vm-0018', 'vm-0000', 'vm-0012']);
  expect(shelf.waiting.map(({ name }) => name)).toEqual(['vm-0006']);
  expect(shelf.memory).toMatchObject({ reserve: 4 * 2 ** 30, limit: 60 * 2 ** 30 });
  expect(shelf.namespaces).toEqual({
    limit: 16 * 2 ** 30,
    uses: [
      { namespace: 'ci', committed: 15.5 * 2 ** 30, share: 15.5 / 16 },
      { namespace: 'default', committed: 8 * 2 ** 30, share: 0.5 },
    ],
  });
});

test.each<Route>([
  { page: 'list', filter: noFilter },
  { page: 'list', filter: { text: 'a b&c=#', namespace: 'x/y', host: 'hv?', reason: 'GuestRefused', sort: 'size' } },
  { page: 'vm', namespace: 'a b', name: 'c/d%', tab: 'memory' },
  { page: 'vm', namespace: 'default', name: 'web', tab: 'history' },
  { page: 'hosts' },
])('a link leads where it came from: $page', (route) => {
  expect(parseRoute(formatRoute(route))).toEqual(route);
});

test.each(['#/vms', '#/vms/a/b/other', '#/nowhere', '#/vms/a/b/history/more'])('%s leads nowhere', (hash) => {
  expect(parseRoute(hash)).toEqual({ page: 'unknown' });
});

test('a hash that is no encoding is taken as it is', () => {
  expect(parseRoute('#/vms/a/%E0%A4')).toEqual({ page: 'vm', namespace: 'a', name: '%E0%A4', tab: 'memory' });
});

test.each([
  ['4Gi', '4Gi'],
  ['4', '4Gi'],
  ['1.5', '1536Mi'],
  ['4 GiB', '4Gi'],
  ['512 mb', '512Mi'],
  ['1Ti', '1Ti'],
  ['4294967296', '4Gi'],
])('%s is typed for %s', (typed, meant) => {
  const read = readSize(typed);
  expect(read.ok && formatQuantity(read.value as Bytes)).toBe(meant);
});

test.each(['', 'a lot', '-1', '4Xi'])("'%s' is no size", (typed) => {
  expect(readSize(typed).ok).toBe(false);
});

test('events are read in whatever pieces they come', () => {
  const text =
    ': quiet\n\nevent: hello\ndata: {"a":1}\n\nevent: gone\r\ndata: {\ndata: }\r\n\r\ndata: x\n\nevent: half\nda';
  const expected = [
    { event: 'hello', data: '{"a":1}' },
    { event: 'gone', data: '{\n}' },
    { event: 'message', data: 'x' },
  ];
  for (let cut = 1; cut < 9; cut += 1) {
    const read = createSseReader();
    const pieces = text.match(new RegExp(`[^]{1,${cut}}`, 'g')) ?? [];
    expect(pieces.flatMap((piece) => read(piece))).toEqual(expected);
  }
});
