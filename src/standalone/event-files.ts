/** The last events of each resource, in a file of its own. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { EventRecorder, RecordedEvent, Resource } from '../runtime/resources.ts';
import type { ResourceName, StateDirectory } from './state-directory.ts';

/** One that happened several times in a row counts. */
export type KeptEvent = RecordedEvent & {
  readonly count: number;
  /** RFC 3339 with milliseconds. */
  readonly firstSeen: string;
  readonly lastSeen: string;
};

const mostEvents = 50;

type Subject = Resource & { readonly kind: ResourceName['kind'] };

/** Reads what a file of events holds; what can't be read counts as none. */
export function readEvents(text: string | null): readonly KeptEvent[] {
  try {
    const read: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(read) ? (read as KeptEvent[]) : [];
  } catch {
    return [];
  }
}

/** `events` and one more. Pure. */
export function withEvent(events: readonly KeptEvent[], event: RecordedEvent, at: string): readonly KeptEvent[] {
  const last = events.at(-1);
  const isSame =
    last?.reason === event.reason &&
    last.type === event.type &&
    last.action === event.action &&
    last.message === event.message;
  if (isSame) return [...events.slice(0, -1), { ...last, count: last.count + 1, lastSeen: at }];
  const { type, reason, action, message } = event;
  return [...events, { type, reason, action, message, count: 1, firstSeen: at, lastSeen: at }].slice(-mostEvents);
}

export type EventFilesOptions = {
  readonly state: StateDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Writes behind whoever records; what fails is logged, and tried again with the next event. */
export class EventFiles implements EventRecorder<Subject> {
  readonly #options: EventFilesOptions;
  readonly #byFolder = new Map<string, Promise<readonly KeptEvent[]>>();

  constructor(options: EventFilesOptions) {
    this.#options = options;
  }

  record({ kind, metadata }: Subject, event: RecordedEvent): void {
    const { state, clock, logger } = this.#options;
    const subject: ResourceName = { kind, name: metadata.name, namespace: metadata.namespace ?? '' };
    const folder = `${kind}/${subject.namespace}/${subject.name}`;
    const at = new Date(clock.now()).toISOString();
    const before = this.#byFolder.get(folder) ?? state.events(subject).then(readEvents, () => []);
    const next = before.then(async (events) => {
      const now = withEvent(events, event, at);
      await state
        .writeEvents(subject, now)
        .catch((error: unknown) => logger.warn({ err: String(error), folder }, 'events could not be kept'));
      return now;
    });
    this.#byFolder.set(folder, next);
    logger.info({ folder, type: event.type, reason: event.reason, detail: event.message }, 'event');
  }

  /** Resolves when all that was recorded is written, or could not be. */
  async settled(): Promise<void> {
    await Promise.all(this.#byFolder.values());
  }
}
