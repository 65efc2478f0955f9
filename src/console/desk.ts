/** What a person at the page asks for, judged before it is passed on: onto what they saw, and to nobody else's size. */
import { bytes, type Bytes } from '../memory/bytes.ts';
import { parseQuantity } from '../memory/quantity.ts';
import type { Seen, SizeWish } from '../operator/backend.ts';
import { findOtherWriters } from '../view/ownership.ts';
import { judgeResize, writeSize } from '../operator/write-size.ts';
import { fullName } from '../view/subject.ts';
import { itemOf } from './board.ts';
import type { ConsoleBackend } from './backend.ts';
import type {
  AnnotationAnswer,
  AnnotationRequest,
  EventsAnswer,
  EventsRequest,
  MemoryAnswer,
  MemoryRequest,
} from './wire.ts';

/** The resource that is asked about isn't there. */
export class NoSuchResource extends Error {}

export class Desk {
  readonly #backend: ConsoleBackend;

  constructor(backend: ConsoleBackend) {
    this.#backend = backend;
  }

  /** @throws NoSuchResource, Unreachable */
  async events({ namespace, name }: EventsRequest): Promise<EventsAnswer> {
    const seen = this.#backend.board.find(namespace, name);
    if (seen === null) throw new NoSuchResource(`there is no ${namespace}/${name}`);
    const events = await this.#backend.events(seen.resource);
    return {
      items: events.map(({ type, reason, message, count, lastSeen }) => ({ type, reason, message, count, lastSeen })),
    };
  }

  /** @throws Unreachable */
  async setMemory(request: MemoryRequest): Promise<MemoryAnswer> {
    const { namespace, name, shrinkPolicy, resourceVersion, dryRun, force, anyPlan } = request;
    const memory = readSize(request.memory);
    if (typeof memory === 'string') return { outcome: 'refused', message: memory };
    const { board } = this.#backend;
    const [seen, now] = [board.findAt(namespace, name, resourceVersion), board.find(namespace, name)];
    if (seen === null || now === null) return this.#changed(namespace, name);
    const wish: SizeWish = { memory, ...(shrinkPolicy === undefined ? {} : { shrinkPolicy }) };
    const writers = findOtherWriters(now.object, shrinkPolicy === undefined ? ['memory'] : ['memory', 'shrinkPolicy']);
    if (writers.length > 0 && !force) return { outcome: 'owned', writers: [...writers] };
    const judged = judge(seen, wish);
    if (typeof judged === 'string') return { outcome: 'refused', message: judged };
    const gone = new NoSuchResource(`there is no ${namespace}/${name}`);
    const onto = {
      get: async (): Promise<Seen> => {
        const current = await this.#backend.get(namespace, name);
        if (current === null) throw gone;
        return current;
      },
      setMemory: (what: Seen, wished: SizeWish) => this.#backend.setMemory(what, wished, dryRun),
    };
    try {
      const set = await writeSize(onto, seen, wish, judged, anyPlan);
      return set.outcome === 'changed' ? await this.#changed(namespace, name) : set;
    } catch (error) {
      if (error === gone) return { outcome: 'changed', item: null };
      throw error;
    }
  }

  /** @throws NoSuchResource, Unreachable */
  async wish({ namespace, name, what }: AnnotationRequest): Promise<AnnotationAnswer> {
    const seen = this.#backend.board.find(namespace, name);
    if (seen === null) throw new NoSuchResource(`there is no ${namespace}/${name}`);
    const set = await this.#backend.wish(seen, what);
    return set.outcome === 'changed' ? this.#changed(namespace, name) : set;
  }

  /** With what it is now, for the person to decide anew. */
  async #changed(
    namespace: string,
    name: string,
  ): Promise<{ readonly outcome: 'changed'; readonly item: ReturnType<typeof itemOf> | null }> {
    const current = await this.#backend.get(namespace, name);
    return { outcome: 'changed', item: current === null ? null : itemOf(current) };
  }
}

function readSize(text: string): Bytes | string {
  const parsed = parseQuantity(text);
  return parsed.ok ? bytes(parsed.value) : parsed.error;
}

/** The text: why a spec may not have this size. */
function judge({ resource }: Seen, wish: SizeWish): ReturnType<typeof judgeResize> | string {
  try {
    return judgeResize(resource, wish);
  } catch (error) {
    return `${fullName(resource)}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
