/** All that the page knows, as signals: whoever shows one of them is drawn anew when it changes. */
import { batch, computed, effect, signal } from '@preact/signals';
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../../api/v1alpha1/decode.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { ConsoleEvent, Item } from '../wire.ts';
import { type Row, rowOf } from './model/list.ts';
import { parseRoute, type Route } from './model/route.ts';
import { openSession } from './wire/client.ts';
import { followStream } from './wire/stream.ts';

/** A resource that is known, and who else writes its size. */
export type Known = { readonly resource: VirtualMachineMemory; readonly writers: Item['writers']; readonly row: Row };

export type Phase =
  | { readonly kind: 'opening' }
  /** `message`: what the server said; null: there was no link to begin with. */
  | { readonly kind: 'noSession'; readonly message: string | null }
  | { readonly kind: 'open' };

export type Hello = Extract<ConsoleEvent, { event: 'hello' }>['data'];

export const phase = signal<Phase>({ kind: 'opening' });
export const hello = signal<Hello | null>(null);
/** null: they haven't come yet. */
export const known = signal<ReadonlyMap<string, Known> | null>(null);
/** null: they may not be read; undefined: they haven't come yet. */
export const hosts = signal<readonly HypervisorHost[] | null | undefined>(undefined);
export const trouble = signal<{ readonly problems: readonly string[]; readonly note: string | null }>({
  problems: [],
  note: null,
});
/** To the console's own process, and from there to what it shows. */
export const link = signal<'connecting' | 'live' | 'lost'>('connecting');
export const backend = signal<Extract<ConsoleEvent, { event: 'connection' }>['data']>({
  state: 'live',
  message: '',
});
/** Since when what is shown may be old, epoch milliseconds; null: it is live. */
export const lostSince = signal<number | null>(null);
/** Every second. */
export const now = signal(Date.now());
export const route = signal<Route>(parseRoute(location.hash));
export const secret = signal('');

export const rows = computed(() => [...(known.value?.values() ?? [])].map(({ row }) => row));
export const isLive = computed(() => link.value === 'live' && backend.value.state === 'live');

const secretKey = 'dimmer-console-session';

/** Opens the session that the address or this tab has, and follows what the server tells. */
export async function start(): Promise<void> {
  setInterval(() => (now.value = Date.now()), 1000);
  addEventListener('hashchange', () => void followHash());
  effect(() => {
    if (isLive.value) lostSince.value = null;
    else if (link.value !== 'connecting') lostSince.value ??= Date.now();
  });
  await followHash();
  if (phase.value.kind === 'opening') resume();
}

/** A link may be opened in a tab that has the page already: then only the hash changes. */
async function followHash(): Promise<void> {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1];
  if (code === undefined) {
    route.value = parseRoute(location.hash);
    return;
  }
  // A code is used once: it must not stay in the address, nor in the history.
  history.replaceState(null, '', '#/');
  route.value = parseRoute('');
  phase.value = { kind: 'opening' };
  const opened = await openSession(code);
  if (opened.ok) {
    sessionStorage.setItem(secretKey, opened.value.secret);
    resume();
  } else {
    phase.value = { kind: 'noSession', message: opened.error.message };
  }
}

let following: AbortController | null = null;

function resume(): void {
  const kept = sessionStorage.getItem(secretKey);
  if (kept === null) {
    phase.value = { kind: 'noSession', message: null };
    return;
  }
  following?.abort();
  following = new AbortController();
  secret.value = kept;
  const listener = {
    onEvent: take,
    onLink: (state: 'live' | 'lost') => (link.value = state),
    onNoSession: () => endSession('its session has ended'),
  };
  void followStream(kept, listener, following.signal);
}

/** The secret is of no use any more. */
export function endSession(message: string): void {
  following?.abort();
  sessionStorage.removeItem(secretKey);
  phase.value = { kind: 'noSession', message };
}

function take({ event, data }: ConsoleEvent): void {
  batch(() => {
    switch (event) {
      case 'hello':
        hello.value = data;
        phase.value = { kind: 'open' };
        return;
      case 'resources':
        known.value = new Map(data.items.flatMap(readItem));
        return;
      case 'resource':
        known.value = new Map([...(known.value ?? []), ...readItem(data.item)]);
        return;
      case 'gone': {
        const rest = new Map(known.value ?? []);
        const key = `${data.namespace}/${data.name}`;
        if (rest.get(key)?.resource.metadata.uid === data.uid) rest.delete(key);
        known.value = rest;
        return;
      }
      case 'hosts':
        hosts.value = data.items?.flatMap(readHost) ?? null;
        return;
      case 'trouble':
        trouble.value = data;
        return;
      case 'connection':
        backend.value = data;
        return;
      default:
        event satisfies never;
    }
  });
}

/** What nothing can be made of isn't shown: the server has said so in `trouble`. */
function readItem({ object, writers }: Item): readonly (readonly [string, Known])[] {
  const read = decodeVirtualMachineMemory(object);
  if (!read.ok) return [];
  const row = rowOf(read.value);
  return [[row.key, { resource: read.value, writers, row }]];
}

/** What an answer brings is known at once, before the stream tells it. */
export function learn(item: Item): void {
  known.value = new Map([...(known.value ?? []), ...readItem(item)]);
}

function readHost(raw: object): readonly HypervisorHost[] {
  const read = decodeHypervisorHost(raw);
  return read.ok ? [read.value] : [];
}
