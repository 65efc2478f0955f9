/** A host that can't even be tried: every call says why. Stands where a bad address would otherwise stop the rest. */
import type { HostError } from './errors.ts';
import { fail } from '../memory/result.ts';
import type { Host } from './port.ts';

/** A {@link Host} of which every call fails with `error`. */
export function createUnusableHost(error: HostError): Host {
  const refuse = () => Promise.resolve(fail(error));
  return {
    facts: refuse,
    listDomains: refuse,
    observe: refuse,
    plug: refuse,
    unplug: refuse,
    persist: refuse,
    releaseClaim: refuse,
    watch(listener) {
      let open = true;
      queueMicrotask(() => {
        if (open) listener({ kind: 'lost', error: error.message });
      });
      return () => {
        open = false;
      };
    },
    close: () => Promise.resolve(),
  };
}
