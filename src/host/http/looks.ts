/**
 * Looks at domains over HTTPS. Those that are asked for in the same turn of the event loop go in one request: where many
 * resources wait for one host, what a request costs is shared (docs/adr/0060-looks-that-travel-together.md).
 */
import type { Clock } from '../../runtime/clock.ts';
import { orAborted } from '../../runtime/or-aborted.ts';
import { object, those } from '../../memory/shape.ts';
import { type HostAnswer, hostError } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import type { DomainObservation } from '../port.ts';
import { domainObservation } from './api/domain.ts';
import { maxNamedDomains } from './api/requests.ts';
import { domainsPath, memoryPath } from './paths.ts';
import type { HttpsTransport } from './transport.ts';

/** Reading is quick at the agent: one look at the domain's XML. */
export const observeDeadlineMs = 5_000;
/** An agent that takes no names of domains (0.1.0) isn't tried with them again for so long. */
const withoutNamesMs = 600_000;

/** One that can't be understood is as one that isn't there: its own answer says what is wrong with it. */
const understood = object({ domains: those(domainObservation) });

type Answer = HostAnswer<DomainObservation>;
type Asked = {
  readonly uuid: string;
  readonly signal: AbortSignal | undefined;
  readonly answer: (answer: Answer | Promise<Answer>) => void;
};

/** See the file's comment. */
export class Looks {
  readonly #transport: HttpsTransport;
  readonly #clock: Clock;
  #asked: Asked[] = [];
  #withNamesFromMs = -Infinity;

  constructor(transport: HttpsTransport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** As {@link Host.observe}. */
  observe(uuid: string, signal: AbortSignal | undefined): Promise<Answer> {
    const answered = new Promise<Answer>((answer) => {
      if (this.#asked.length === 0) setImmediate(() => this.#send());
      this.#asked.push({ uuid, signal, answer });
    });
    return orAborted(answered, signal, () =>
      fail(hostError('timeout', 'The agent did not answer before it was given up')),
    );
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = [];
    const together = this.#clock.monotonic() < this.#withNamesFromMs ? 1 : maxNamedDomains;
    for (let from = 0; from < asked.length; from += together) void this.#ask(asked.slice(from, from + together));
  }

  async #ask(asked: readonly Asked[]): Promise<void> {
    if (asked.length > 1 && (await this.#askTogether(asked))) return;
    for (const each of asked) each.answer(this.#askOne(each));
  }

  /** False: each is to be asked for by itself. */
  async #askTogether(asked: readonly Asked[]): Promise<boolean> {
    const uuids = [...new Set(asked.map(({ uuid }) => uuid))];
    const path = `${domainsPath}?view=memory&uuids=${uuids.join(',')}`;
    const { signal, forget } = whenAllGiveUp(asked.map((each) => each.signal));
    const request = { method: 'GET', path, deadlineMs: observeDeadlineMs, signal } as const;
    const list = await this.#transport.call(request, understood).finally(forget);
    if (!list.ok) {
      const takesNames = list.error.code !== 'bad-request';
      if (takesNames) for (const { answer } of asked) answer(list);
      else this.#withNamesFromMs = this.#clock.monotonic() + withoutNamesMs;
      return takesNames;
    }
    const seen = new Map(list.value.domains.map((domain) => [domain.uuid, domain]));
    for (const each of asked) {
      const observation = seen.get(each.uuid);
      each.answer(observation === undefined ? this.#askOne(each) : succeed(observation));
    }
    return true;
  }

  #askOne({ uuid, signal }: Asked): Promise<Answer> {
    const request = { method: 'GET', path: memoryPath(uuid), deadlineMs: observeDeadlineMs, signal } as const;
    return this.#transport.call(request, domainObservation);
  }
}

/** A signal that is aborted once all are: what somebody still waits for goes on. `forget` once it has ended. */
function whenAllGiveUp(signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal | undefined;
  readonly forget: () => void;
} {
  const given = signals.filter((signal) => signal !== undefined);
  if (given.length < signals.length) return { signal: undefined, forget: () => undefined };
  const ending = new AbortController();
  const look = (): void => {
    if (given.every(({ aborted }) => aborted)) ending.abort();
  };
  look();
  for (const signal of given) signal.addEventListener('abort', look, { once: true });
  return {
    signal: ending.signal,
    forget: () => {
      for (const signal of given) signal.removeEventListener('abort', look);
    },
  };
}
