/**
 * An API server that keeps one Lease as a real one does (test/integration/kubernetes/leader-election.test.ts compares the two), and
 * the processes that are elected by it: each on a clock of its own, and killed, frozen or cut off as a test likes.
 */
import { PassThrough } from 'node:stream';
import type { ApiClient, ApiFailure, ApiRequest, ApiResult } from '../../../../src/kubernetes/api-client.ts';
import type { ElectionTimes } from '../../../../src/kubernetes/election.ts';
import { LeaderElector } from '../../../../src/kubernetes/leader-elector.ts';
import { fail, succeed } from '../../../../src/memory/result.ts';
import type { Clock } from '../../../../src/runtime/clock.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import type { ManualClock } from '../../../support/manual-clock.ts';

export type RawLease = {
  readonly metadata: { readonly name: string; readonly namespace: string; uid: string; resourceVersion: string };
  readonly spec: Readonly<Record<string, unknown>>;
};

/** What becomes of a write: an answer with this status; one 3 s late; or nothing comes back though it is done, or is not. */
export type Fault = number | 'late-answer' | 'lose-answer' | 'lose-request';

type Answer = ApiResult<Readonly<Record<string, unknown>>>;

const failure = (more: Partial<ApiFailure>): ApiResult<never> =>
  fail({ kind: 'status', status: 0, reason: '', message: 'as the test says', retryable: true, ...more });

export const times: ElectionTimes = { leaseMs: 12_000, deadlineMs: 8_000, retryMs: 2_000 };

export class LeaseServer {
  lease: RawLease | null = null;
  version = 100;
  /** For the next writes, of anybody. */
  readonly faults: Fault[] = [];
  readonly writes: { readonly method: string; readonly by: string; readonly answer: string }[] = [];
  readonly watches = new Set<{ readonly tell: (line: string) => void; readonly cut: () => void }>();

  /** Somebody else writes the Lease. */
  edit(spec: Readonly<Record<string, unknown>>, metadata: object = {}): void {
    if (this.lease === null) throw new Error('there is no Lease');
    const { lease } = this;
    this.#put({ metadata: { ...lease.metadata, ...metadata }, spec: { ...lease.spec, ...spec } });
  }

  /** Somebody labels the Lease, if there is one. */
  relabel(): void {
    if (this.lease !== null) this.edit({}, { labels: { at: String(this.version) } });
  }

  delete(): void {
    if (this.lease === null) return;
    const gone = { ...this.lease, metadata: { ...this.lease.metadata, resourceVersion: this.#next() } };
    this.lease = null;
    this.#tell('DELETED', gone);
  }

  cutWatches(): void {
    for (const { cut } of this.watches) cut();
  }

  list(): Readonly<Record<string, unknown>> {
    const items = this.lease === null ? [] : [this.lease];
    return { metadata: { resourceVersion: String(this.version) }, items };
  }

  write(by: string, { method, body }: ApiRequest): { readonly answer: Answer | 'silence'; readonly lateMs: number } {
    const fault = this.faults.shift();
    const answer = typeof fault === 'number' ? failure({ status: fault }) : this.#write(method, body as RawLease);
    const isLost = fault === 'lose-request' || fault === 'lose-answer';
    const told = fault ?? (answer.ok ? 'ok' : answer.error.status);
    this.writes.push({ method, by, answer: String(told) });
    return { answer: isLost ? 'silence' : answer, lateMs: fault === 'late-answer' ? 3_000 : 0 };
  }

  #write(method: string, body: RawLease): Answer {
    if (method === 'POST') {
      if (this.lease !== null) return failure({ status: 409, reason: 'AlreadyExists' });
      return succeed(this.#put({ ...body, metadata: { ...body.metadata, uid: `uid-${this.version}` } }));
    }
    // With a uid in it a PUT of a Lease that isn't there is a conflict; without, it would make one.
    const { uid, resourceVersion } = this.lease?.metadata ?? {};
    if (uid !== body.metadata.uid || resourceVersion !== body.metadata.resourceVersion) return failure({ status: 409 });
    return succeed(this.#put(body));
  }

  #put(lease: RawLease): RawLease {
    const type = this.lease === null ? 'ADDED' : 'MODIFIED';
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: this.#next() } };
    this.#tell(type, this.lease);
    return this.lease;
  }

  #next(): string {
    this.version += 1;
    return String(this.version);
  }

  #tell(type: string, object: RawLease): void {
    for (const { tell } of this.watches) tell(`${JSON.stringify({ type, object })}\n`);
  }
}

export class ElectedProcess {
  readonly elector: LeaderElector;
  /** Every epoch that it had, and why it ended. */
  readonly log: string[] = [];
  isElected = false;
  #frozen: (() => void)[] | null = null;
  /** Its requests get no answer. */
  isCutOff = false;
  readonly #ending = new AbortController();

  constructor(name: string, server: LeaseServer, base: ManualClock, { skewMs = 0 } = {}) {
    const whenRunning = (work: () => void): void => {
      if (this.#frozen === null) work();
      else this.#frozen.push(work);
    };
    const resumed = (): Promise<void> => new Promise((resolve) => whenRunning(resolve));
    const clock: Clock = {
      now: () => base.now() + skewMs,
      // Another zero for each process, as machines have.
      monotonic: () => base.monotonic() + skewMs / 2,
      after: (ms, callback) => base.after(ms, () => whenRunning(callback)),
    };
    const client: ApiClient = {
      send: async (request) => {
        await resumed();
        const { answer, lateMs } = this.isCutOff
          ? { answer: 'silence' as const, lateMs: 0 }
          : request.method === 'GET'
            ? { answer: succeed(server.list()), lateMs: 0 }
            : server.write(name, request);
        if (lateMs > 0) await new Promise<void>((resolve) => clock.after(lateMs, resolve));
        if (answer === 'silence') {
          await new Promise<void>((resolve) => clock.after(request.timeoutMs ?? 30_000, resolve));
          return failure({ kind: 'timeout' });
        }
        await resumed();
        return answer;
      },
      stream: async ({ signal }) => {
        await resumed();
        if (this.isCutOff) return failure({ kind: 'unreachable' });
        const body = new PassThrough();
        const watch = {
          tell: (line: string) =>
            whenRunning(() => {
              if (!this.isCutOff) body.write(line);
            }),
          cut: () => body.destroy(new Error('cut')),
        };
        // From where the list stood: the tests change nothing between the two.
        server.watches.add(watch);
        body.on('close', () => server.watches.delete(watch));
        signal.addEventListener('abort', () => body.destroy());
        return succeed(body);
      },
    };
    this.elector = new LeaderElector({
      ...{ client, clock, random: () => 0, logger: silentLogger, times },
      ...{ namespace: 'dimmer-system', name: 'dimmer-controller', selector: '', identity: name },
      onLost: (why) => this.log.push(why),
    });
    void this.elector.start(this.#ending.signal).then(() => {
      this.isElected = !this.#ending.signal.aborted;
    });
  }

  get epoch(): number | null {
    return this.elector.epoch;
  }

  /** As SIGSTOP does: time goes on, and nothing happens in it. */
  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const work of waiting) work();
  }

  /** As SIGKILL does: nobody hears of it again. */
  kill(): void {
    this.isCutOff = true;
    this.#ending.abort();
    this.freeze();
    this.#frozen = Object.assign([], { push: () => 0 });
  }

  /** As SIGTERM does, once its work has ended. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.elector.close();
  }
}
