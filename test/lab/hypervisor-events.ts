import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHypervisor } from './hypervisor.ts';
import { waitFor } from './wait.ts';

/** A libvirt event as virsh prints it, for example `device-removed`, `guest-1`, `ua-dimmer-0`. */
export type LabEvent = {
  readonly name: string;
  readonly domain: string;
  readonly detail: string;
  /** Milliseconds since the epoch, when it was read. */
  readonly at: number;
};

/** Everything that libvirt says about every domain, to an observer beside the program under test. Ends with libvirtd. */
export type EventWatch = {
  readonly events: readonly LabEvent[];
  /** Waits for an event, past ones included, and gives the first that fits. */
  readonly waitFor: (fits: (event: LabEvent) => boolean, what: string, timeoutMs?: number) => Promise<LabEvent>;
  readonly stop: () => Promise<void>;
};

/** Starts listening with `virsh event`; events from the return of this call on are seen. */
export async function watchEvents(hypervisor: LabHypervisor): Promise<EventWatch> {
  const events: LabEvent[] = [];
  const uuid = randomUUID();
  const probe = `lab-probe-${uuid}`;
  const virsh = ['virsh', '--connect', hypervisor.uri, 'event', '--all', '--loop'];
  // stdbuf: virsh keeps lines back when it writes to a pipe.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'stdbuf', '-oL', ...virsh], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = once(child, 'exit');
  let heard = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, name, domain, detail] = /^event '([^']+)' for domain '([^']+)'(?::? ?)(.*)$/.exec(line) ?? [];
    if (name === undefined || domain === undefined) return;
    if (domain === probe) heard = true;
    else events.push({ name, domain, detail: detail ?? '', at: Date.now() });
  });
  // virsh does not say when it listens: we make something happen until it hears it.
  const xml = join(hypervisor.directory, `${probe}.xml`);
  writeFileSync(
    xml,
    `<domain type='qemu'><name>${probe}</name><uuid>${uuid}</uuid><memory>1024</memory><os><type>hvm</type></os></domain>`,
  );
  await waitFor(
    async () => {
      await hypervisor.virshOk(['define', xml]);
      return heard;
    },
    { what: '`virsh event` to listen', timeoutMs: 30_000, intervalMs: 20 },
  );
  await hypervisor.virshOk(['undefine', probe]);
  return {
    events,
    waitFor: (fits, what, timeoutMs = 30_000) =>
      waitFor(() => events.find(fits), {
        what: `the event ${what}`,
        timeoutMs,
        intervalMs: 10,
        details: () => `seen: ${JSON.stringify(events.slice(-20))}`,
      }),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
