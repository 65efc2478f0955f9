/** Looks at many domains for one answer. */
import type { HostAnswer } from '../host/errors.ts';
import type { DomainObservation } from '../host/port.ts';
import type { Clock } from '../runtime/clock.ts';

/** At the same time: each takes a few calls. */
const atOnce = 8;

/**
 * Those of the domains that can be observed, in no order.
 * @param patienceMs what isn't seen by then is left out: one whose QEMU doesn't answer takes seconds, and whoever asked
 *   for another waits no longer than this
 */
export function lookAtEach(
  uuids: readonly string[],
  observe: (uuid: string) => Promise<HostAnswer<DomainObservation>>,
  clock: Clock,
  patienceMs: number,
): Promise<readonly DomainObservation[]> {
  const waiting = uuids.values();
  const seen: DomainObservation[] = [];
  const work = async (): Promise<void> => {
    // The workers share the iterator.
    for (const uuid of waiting) {
      const answer = await observe(uuid);
      if (answer.ok) seen.push(answer.value);
    }
  };
  return new Promise((resolve, reject) => {
    const end = (): void => resolve([...seen]);
    const timer = clock.after(patienceMs, end);
    Promise.all(Array.from({ length: atOnce }, work))
      .then(end, reject)
      .finally(() => timer.cancel());
  });
}
