/**
 * The statistics of a virtio balloon as QEMU 7.2 has them (hw/virtio/virtio-balloon.c): a timer that asks, and drops its
 * question while another one is open; a period that makes the timer anew when it was 0; times in whole seconds.
 */
import type { DomainMemoryStats } from '../../../../src/libvirt/domain/statistics.ts';
import { type Bytes, bytes } from '../../../../src/memory/bytes.ts';
import type { Clock, Timer } from '../../../../src/runtime/clock.ts';

/** How long a guest takes until it looks at its memory, and then until its report is there; null: it never does. */
export type Pace = { readonly gatherMs: number; readonly handOverMs: number } | null;

export type FakeBalloonOptions = {
  readonly clock: Clock;
  readonly figures: () => { readonly total: Bytes; readonly usable: Bytes };
  /** Of the next question. Default: at once. */
  readonly pace?: () => Pace;
  readonly periodSeconds?: number;
};

export class FakeBalloon {
  readonly #options: FakeBalloonOptions;
  #periodSeconds: number;
  /** What libvirt has written down of it. */
  #writtenSeconds: number;
  #timer: Timer | null = null;
  /** Whether the guest has handed over what it is asked with: no question is open. */
  #hasElement = false;
  #statistics: DomainMemoryStats | null = null;
  /** When the guest looked at its memory for the last report. */
  gatheredAtMs = 0;
  /** Every period that was set. */
  readonly periods: number[] = [];

  constructor(options: FakeBalloonOptions) {
    this.#options = options;
    this.#periodSeconds = options.periodSeconds ?? 2;
    this.#writtenSeconds = this.#periodSeconds;
    this.#arm(this.#periodSeconds * 1000);
    // A driver that is loaded reports once without being asked.
    this.#gather({ gatherMs: 0, handOverMs: 0 });
  }

  get periodSeconds(): number {
    return this.#periodSeconds;
  }

  get writtenSeconds(): number {
    return this.#writtenSeconds;
  }

  get statistics(): DomainMemoryStats {
    const nothing = { available: null, unused: null, usable: null, lastUpdateMs: null, report: null };
    return this.#statistics ?? { ...nothing, balloon: null, resident: null };
  }

  /** libvirt's call: QEMU is told, then it is written down. */
  setPeriod(seconds: number): void {
    this.periods.push(seconds);
    this.setPeriodUnwritten(seconds);
    this.#writtenSeconds = seconds;
  }

  /** balloon_stats_set_poll_interval: as far as a libvirtd gets that is killed before it has written anything down. */
  setPeriodUnwritten(seconds: number): void {
    const before = this.#periodSeconds;
    if (seconds === before) return;
    this.#periodSeconds = seconds;
    if (seconds === 0) this.#timer?.cancel();
    else this.#arm(before === 0 ? 0 : seconds * 1000);
  }

  #arm(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => this.#poll());
  }

  /** balloon_stats_poll_cb */
  #poll(): void {
    if (!this.#hasElement) {
      this.#arm(this.#periodSeconds * 1000);
      return;
    }
    this.#hasElement = false;
    this.#gather(this.#options.pace?.() ?? (this.#options.pace === undefined ? { gatherMs: 0, handOverMs: 0 } : null));
  }

  #gather(pace: Pace): void {
    if (pace === null) return;
    const { clock, figures } = this.#options;
    const look = (): void => {
      const { total, usable } = figures();
      const gatheredAtMs = clock.now();
      const handOver = (): void => this.#receive(total, usable, gatheredAtMs);
      if (pace.handOverMs === 0) handOver();
      else clock.after(pace.handOverMs, handOver);
    };
    if (pace.gatherMs === 0) look();
    else clock.after(pace.gatherMs, look);
  }

  /** virtio_balloon_receive_stats */
  #receive(total: Bytes, usable: Bytes, gatheredAtMs: number): void {
    this.#hasElement = true;
    this.gatheredAtMs = gatheredAtMs;
    const lastUpdateMs = Math.floor(this.#options.clock.now() / 1000) * 1000;
    this.#statistics = {
      ...{ available: total, usable, unused: usable, balloon: bytes(total), resident: null, lastUpdateMs },
      report: `${total} ${usable} ${lastUpdateMs}`,
    };
    if (this.#periodSeconds > 0) this.#arm(this.#periodSeconds * 1000);
  }
}
