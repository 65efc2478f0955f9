/**
 * One host that the controller knows: its connection, what runs on it, and what its events lead to. What it runs is cached, and
 * read anew when the host's event stream says that something started or stopped.
 */
import { parseHostLimits, type HostLimits } from '../../api/v1alpha1/spec.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { HostLine } from '../../host/host-line.ts';
import type { DomainSummary, Host, HostEvent, HostFacts } from '../../host/port.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';
import type { Clock } from '../../runtime/clock.ts';
import { orAborted } from '../../runtime/or-aborted.ts';
import { type Hearing, Hearings } from './hearing.ts';

/** How old facts about a host may be when a growth is planned; the agent judges again when it acts. */
const factsMaxAgeMs = 5_000;
/** Nobody is told no by facts that are older than this. */
const factsFinalMs = 1_000;

/** Told what concerns whom. */
export interface HostListener {
  /**
   * Something happened to a domain on a host; `lifecycle`: it may be somebody else's now, or elsewhere. `id`: of the event,
   * where it has one.
   */
  onDomain(uuid: string, what: 'lifecycle' | 'memory', host: HypervisorHost, id?: string): void;
  /** Anything on this host may have changed, or the host can't be reached any more. */
  onHost(name: string): void;
}

/** Who only looks whether a host has a copy, too, waits no longer than this from when the host was asked. */
const copiesMs = 500;

type Domains = HostAnswer<ReadonlyMap<string, DomainSummary>>;
/** `soon`: the answer, or the one before where it isn't there after {@link copiesMs}. */
type Listing = { readonly whole: Promise<Domains>; soon: Domains | Promise<Domains> };

const giveUp = () => fail(hostError('timeout', 'The host did not answer before it was given up'));

/** One host. */
export class HostEntry {
  /** All that is asked of the host goes through here. */
  readonly line: HostLine;
  resource: HypervisorHost;
  limits: Result<HostLimits, string>;
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #unwatch: () => void;
  #listing: Listing | null = null;
  /** What last ran here; null: it has never said. */
  #last: ReadonlyMap<string, DomainSummary> | null = null;
  #failure: Domains | null = null;
  #facts: { readonly atMs: number; readonly answer: Promise<HostAnswer<HostFacts>>; hasMore: boolean } | null = null;
  readonly #hearings = new Hearings();

  constructor(resource: HypervisorHost, host: Host, listener: HostListener, clock: Clock) {
    this.resource = resource;
    this.limits = parseHostLimits(resource.spec);
    this.#host = host;
    // A host whose limits can't be read changes nothing; see gather.ts.
    this.line = new HostLine(host, clock, () => (this.limits.ok ? this.limits.value.maxConcurrentOperations : 1));
    this.#clock = clock;
    this.#unwatch = host.watch((event) => this.#onEvent(event, listener));
  }

  get name(): string {
    return this.resource.metadata.name;
  }

  /**
   * What runs or is defined here, by uuid. An error is kept only until the host has been asked again: who looks for a VM
   * on all hosts waits for one that doesn't answer once, not every time. `signal` ends the waiting, not the question.
   */
  async domains(signal?: AbortSignal): Promise<Domains> {
    const failure = this.#failure;
    this.#listing ??= this.#listDomains();
    return failure ?? orAborted(this.#listing.whole, signal, giveUp);
  }

  /**
   * The same for who finds its VM on another host: what was so before, when this one takes its time. No promise where it
   * is there: whoever looks for a VM by its uuid asks all hosts.
   */
  domainsSoon(signal?: AbortSignal): Domains | Promise<Domains> {
    const failure = this.#failure;
    this.#listing ??= this.#listDomains();
    const { soon } = this.#listing;
    return failure ?? (soon instanceof Promise ? orAborted(soon, signal, giveUp) : soon);
  }

  #listDomains(): Listing {
    const late = Promise.withResolvers<Domains>();
    const timer = this.#clock.after(copiesMs, () => {
      // A host that hasn't said yet what it has could have anything.
      if (this.#last !== null) late.resolve(succeed(this.#last));
    });
    const whole: Promise<Domains> = this.line.listDomains().then((answer) => {
      timer.cancel();
      const domains = answer.ok
        ? succeed(new Map(answer.value.map((domain) => [domain.uuid, domain])))
        : fail(answer.error);
      listing.soon = domains;
      // Else an event has made it worthless meanwhile.
      if (this.#listing === listing) {
        this.#failure = domains.ok ? null : domains;
        if (!domains.ok) this.#listing = null;
      }
      if (domains.ok) this.#last = domains.value;
      return domains;
    });
    const listing: Listing = { whole, soon: Promise.race([whole, late.promise]) };
    return listing;
  }

  /** Forgets what runs here; the next question asks the host. */
  forgetDomains(): void {
    this.#listing = null;
    this.#failure = null;
  }

  /**
   * Capacity and free memory, at most 5 s old, whatever was plugged meanwhile: the agent judges each plug by how the host
   * is then. An error isn't cached. `signal` ends the waiting, not the question.
   */
  async facts(signal?: AbortSignal): Promise<HostAnswer<HostFacts>> {
    const nowMs = this.#clock.now();
    if (this.#facts === null || nowMs - this.#facts.atMs > factsMaxAgeMs) {
      const asked = { atMs: nowMs, answer: this.line.facts(), hasMore: false };
      this.#facts = asked;
      void asked.answer.then(({ ok }) => {
        if (!ok && this.#facts === asked) this.#facts = null;
      });
    }
    return orAborted(this.#facts.answer, signal, giveUp);
  }

  /** Whether the host may have more memory by now than {@link facts} said last, so that it is asked before it is told. */
  get mayHaveMore(): boolean {
    if (this.#facts === null) return false;
    return this.#facts.hasMore || this.#clock.now() - this.#facts.atMs > factsFinalMs;
  }

  /** Forgets what the host's memory was: the next question asks the host. */
  forgetFacts(): void {
    this.#facts = null;
  }

  /** Listens to what is heard of a machine from now on. */
  listen(uuid: string): Hearing {
    return this.#hearings.listen(uuid);
  }

  /** Sends away whoever waits for this host. */
  async close(): Promise<void> {
    this.#unwatch();
    this.line.close();
    await this.#host.close();
  }

  #onEvent(event: HostEvent, listener: HostListener): void {
    this.#hearings.heard(event);
    switch (event.kind) {
      case 'lifecycle':
        this.forgetDomains();
        listener.onDomain(event.uuid, 'lifecycle', this.resource);
        return;
      case 'module-removed':
        if (this.#facts !== null) this.#facts.hasMore = true;
        listener.onDomain(event.uuid, 'memory', this.resource, event.id);
        return;
      case 'module-added':
      case 'module-refused':
      case 'statistics':
        listener.onDomain(event.uuid, 'memory', this.resource, event.id);
        return;
      case 'reset':
      case 'lost':
        this.forgetDomains();
        this.forgetFacts();
        listener.onHost(this.name);
        return;
      default:
        event satisfies never;
    }
  }
}
