/** The runs of all domains, as far as this process has heard of them. */
import { RunningDomain } from './running-domain.ts';

export class RunningDomains {
  readonly #runs = new Map<string, RunningDomain>();

  /** The run of the domain, begun anew when `runtimeId` is another one. */
  ensure(uuid: string, runtimeId: string, nowMs: number): RunningDomain {
    const known = this.#runs.get(uuid);
    if (known?.runtimeId === runtimeId) return known;
    const run = new RunningDomain(uuid, runtimeId, nowMs);
    this.#runs.set(uuid, run);
    return run;
  }

  get(uuid: string): RunningDomain | undefined {
    return this.#runs.get(uuid);
  }

  delete(uuid: string): void {
    this.#runs.delete(uuid);
  }

  all(): readonly RunningDomain[] {
    return [...this.#runs.values()];
  }

  /** After a gap in the events. */
  noticedGap(nowMs: number): void {
    for (const run of this.#runs.values()) run.noticedGap(nowMs);
  }
}
