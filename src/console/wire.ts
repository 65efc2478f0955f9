/**
 * What the page and the server of `dimmer console` say to each other: one value gives type and check, for both ends. Pure.
 * Every request but that for the page's own files and for a session carries `Authorization: Bearer SECRET`.
 */
import {
  anything,
  boolean,
  closed,
  isObject,
  list,
  mapped,
  Mismatch,
  nullable,
  object,
  type Of,
  oneOf,
  optional,
  type Shape,
  text,
  whole,
} from '../memory/shape.ts';
import { shrinkPolicies } from '../memory/policies.ts';

/** All paths there are. None has a name in it: what a cluster holds stands in bodies only, never in a URL. */
export const paths = {
  session: '/api/session',
  stream: '/api/stream',
  events: '/api/resource/events',
  memory: '/api/resource/memory',
  annotation: '/api/resource/annotation',
} as const;

const short = text({ minLength: 1, maxLength: 256 });
/** An object as the API has it, managedFields left out. */
const raw: Shape<object> = mapped(anything, (value) => (isObject(value) ? value : new Mismatch('is not an object')));

/** The one-time code of the link, changed for the session's secret. */
export const sessionRequest = closed({ code: short });

export const sessionAnswer = object({ secret: text({ minLength: 1 }) });

/** Who else writes the size; empty: nobody (src/view/ownership.ts). */
const writers = list(object({ what: text() }));
/** A resource as the API has it, status included. */
export const item = object({ object: raw, writers });
export type Item = Of<typeof item>;

/** What the page hears, by the event's name. All of `resources` replaces what was known. */
export const eventShapes = {
  /** First of all. `title`: the cluster's context and namespace, or the host's name. */
  hello: object({
    place: oneOf(['cluster', 'standalone']),
    title: text(),
    /** false: this user may look only, as far as is known. */
    canEdit: boolean,
    version: text(),
  }),
  resources: object({ items: list(item) }),
  resource: object({ item }),
  gone: object({ namespace: text(), name: text(), uid: text() }),
  /** null: they may not be read. */
  hosts: object({ items: nullable(list(raw)) }),
  /** What is wrong besides: manifests that don't count, a process that isn't there. */
  trouble: object({ problems: list(text()), note: nullable(text()) }),
  /** `lost`: what is known is as old as that; `forbidden`: this user may see none. `message`: why, for people; empty when live. */
  connection: object({ state: oneOf(['live', 'lost', 'forbidden']), message: text() }),
} as const;
export type EventName = keyof typeof eventShapes;
export type ConsoleEvent = {
  readonly [K in EventName]: { readonly event: K; readonly data: Of<(typeof eventShapes)[K]> };
}[EventName];

/** An event as it came; null: none that this version knows. */
export function readConsoleEvent(event: string, data: unknown): ConsoleEvent | null {
  if (!Object.hasOwn(eventShapes, event)) return null;
  const name = event as EventName;
  const read = eventShapes[name].read(data);
  return read instanceof Mismatch ? null : ({ event: name, data: read } as ConsoleEvent);
}

/** Which resource. */
const named = { namespace: short, name: short } as const;
export const eventsRequest = closed(named);
export type EventsRequest = Of<typeof eventsRequest>;

/** As src/view/events.ts shows them, the newest last. */
export const eventsAnswer = object({
  items: list(
    object({
      type: oneOf(['Normal', 'Warning']),
      reason: text(),
      message: text(),
      count: whole(),
      lastSeen: text(),
    }),
  ),
});
export type EventsAnswer = Of<typeof eventsAnswer>;

/** A size for a resource. */
export const memoryRequest = closed({
  ...named,
  /** A quantity. */
  memory: text({ minLength: 1, maxLength: 64 }),
  /** Written together with the size; absent: what the spec says stays. */
  shrinkPolicy: optional(oneOf(shrinkPolicies)),
  /** What the person saw when they decided. */
  resourceVersion: short,
  /** Asks only whether it would be taken; nothing is written. */
  dryRun: boolean,
  /** Also where somebody else writes it, and will again. */
  force: boolean,
  /** By whatever plan: sizes were compared, and no plan was seen. Absent: by the one that was seen only. */
  anyPlan: optional(boolean),
});
export type MemoryRequest = Of<typeof memoryRequest>;

/** `set`: it stands there (`by`: where, for people), or would. `changed`: it isn't what was seen any more, but this. */
const memoryOutcomes = {
  set: object({ outcome: oneOf(['set']), by: text() }),
  changed: object({ outcome: oneOf(['changed']), item: nullable(item) }),
  refused: object({ outcome: oneOf(['refused']), message: text() }),
  owned: object({ outcome: oneOf(['owned']), writers }),
} as const;
export type MemoryAnswer = Of<(typeof memoryOutcomes)[keyof typeof memoryOutcomes]>;

/** What of a resource is asked for without changing its size. */
export const annotationWishes = ['pause', 'resume', 'retry', 'observe'] as const;
export type AnnotationWish = (typeof annotationWishes)[number];
export const annotationRequest = closed({ ...named, what: oneOf(annotationWishes), resourceVersion: optional(short) });
export type AnnotationRequest = Of<typeof annotationRequest>;

const annotationOutcomes = {
  set: object({ outcome: oneOf(['set']) }),
  changed: memoryOutcomes.changed,
  refused: memoryOutcomes.refused,
} as const;
export type AnnotationAnswer = Of<(typeof annotationOutcomes)[keyof typeof annotationOutcomes]>;

function byOutcome<T>(outcomes: Readonly<Record<string, Shape<T>>>): Shape<T> {
  return {
    schema: { anyOf: Object.values(outcomes).map(({ schema }) => schema) },
    read: (value) => {
      const outcome = isObject(value) ? value['outcome'] : undefined;
      const shape = typeof outcome === 'string' && Object.hasOwn(outcomes, outcome) ? outcomes[outcome] : undefined;
      return shape?.read(value) ?? new Mismatch('has no known outcome');
    },
  };
}
export const memoryAnswer: Shape<MemoryAnswer> = byOutcome<MemoryAnswer>(memoryOutcomes);
export const annotationAnswer: Shape<AnnotationAnswer> = byOutcome<AnnotationAnswer>(annotationOutcomes);

/** The body of every answer whose HTTP status says that it failed: in words for people. */
export const errorAnswer = object({ error: text() });
