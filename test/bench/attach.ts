/** What a resize is held against: a bare `virsh attach-device` on the same guest, in turn, in one run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectHypervisor } from '../../src/drivers/libvirt/connect.ts';
import type { Hypervisor } from '../../src/libvirt/domain/hypervisor.ts';
import { parseLibvirtUri } from '../../src/libvirt/rpc/uri.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { dimmXml } from '../lab/guest-xml.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import type { LabHypervisor } from '../lab/hypervisor.ts';
import { waitFor } from '../lab/wait.ts';
import { median, summaryRow } from './summary.ts';

/** virsh takes slots from here up, Dimmer the lowest free one: they never meet. */
export const firstVirshSlot = 128;

/**
 * A guest's sizes before a plug and after it, Dimmer's and virsh's alike: one module is there before. The first
 * takes a guest longer from device-added on (112 ms against 90 for the second, medians of 25 on a busy machine): virsh, which
 * has its turn with Dimmer's module standing, never had to plug that one.
 */
export const sizes = { rest: '640Mi', grown: '768Mi' } as const;

/** Times until libvirt says device-added, and until the guest's own total shows it, ms. */
export type Series = { readonly toEvent: number[]; readonly toGuest: number[] };

/** Somebody who only listens. */
export async function connectObserver({ socketPath }: LabHypervisor): Promise<Hypervisor> {
  const endpoint = parseLibvirtUri(`qemu:///system?socket=${socketPath}`);
  if (!endpoint.ok) throw new Error('the lab has a strange socket path');
  const observer = connectHypervisor(endpoint.value, silentLogger);
  const connected = new Promise<void>((resolve) =>
    observer.onConnection((change) => {
      if (change.kind === 'connected') resolve();
    }),
  );
  observer.start();
  await connected;
  return observer;
}

/** Resolves with the time of the next device-added of a domain, by this process's monotonic clock, ms. */
const nextAdded = (observer: Hypervisor, uuid: string): Promise<number> =>
  new Promise((resolve) => {
    const stop = observer.onEvent((event) => {
      if (event.kind !== 'deviceAdded' || event.domain.uuid !== uuid) return;
      stop();
      resolve(performance.now());
    });
  });

/** Watches the guest's own total in the background of a measurement: the time until it shows more, ms. */
async function untilGrown(guest: LabGuest, beforeKiB: number): Promise<number> {
  const start = performance.now();
  await waitFor(async () => (await guest.memTotalKiB()) > beforeKiB, {
    what: 'the guest to show the memory',
    timeoutMs: 20_000,
    intervalMs: 1,
  });
  return performance.now() - start;
}

/** Has `begin` plug a module; the clock runs from the moment it gives, by this process's monotonic clock. */
export async function measurePlug(
  guest: LabGuest,
  observer: Hypervisor,
  begin: () => number | Promise<number>,
  into: Series,
): Promise<void> {
  const before = await guest.memTotalKiB();
  const added = nextAdded(observer, guest.uuid);
  const startedAt = await begin();
  const addedAt = await added;
  into.toEvent.push(addedAt - startedAt);
  into.toGuest.push(addedAt - startedAt + (await untilGrown(guest, before)));
}

/** Users resize a guest at rest, when they like: at any moment of the 2 s from one of its own reports to the next. */
export const untilAnyMoment = (): Promise<void> => delay(2_000 + Math.random() * 2_000);

/** A module of 128 MiB by virsh, of a guest at rest, from the start of its process; it is taken out again. */
export async function measureVirsh(
  hypervisor: LabHypervisor,
  guest: LabGuest,
  observer: Hypervisor,
  slot: number,
  into: Series,
): Promise<void> {
  const alias = `ua-bench-${slot}`;
  const file = join(hypervisor.directory, 'bench-dimm.xml');
  writeFileSync(file, dimmXml(128, alias).replace('</memory>', `<address type='dimm' slot='${slot}'/></memory>`));
  const args = ['--connect', hypervisor.uri, 'attach-device', guest.uuid, file, '--live'];
  await untilAnyMoment();
  let ended: Promise<unknown> = Promise.resolve();
  const begin = (): number => {
    const startedAt = performance.now();
    ended = once(spawn('virsh', args, { stdio: 'ignore' }), 'exit');
    return startedAt;
  };
  await measurePlug(guest, observer, begin, into);
  await ended;
  await guest.unplugDimm(alias);
  await waitFor(async () => !(await guest.moduleAliases()).includes(alias), {
    what: `${alias} to go`,
    timeoutMs: 30_000,
  });
}

/** Prints both series, and the ratios of their medians with what they should be at most. @param from what begins it */
export function reportPlugs(
  dimmer: Series,
  virsh: Series,
  from: string,
  aims: { readonly event: string; readonly guest: string },
): void {
  console.log(summaryRow(`dimmer: ${from} to device-added`, dimmer.toEvent));
  console.log(summaryRow('virsh attach-device: start to device-added', virsh.toEvent));
  console.log(summaryRow(`dimmer: ${from} to guest MemTotal`, dimmer.toGuest));
  console.log(summaryRow('virsh attach-device: start to guest MemTotal', virsh.toGuest));
  const ratio = median(dimmer.toEvent) / median(virsh.toEvent);
  console.log(`ratio of medians to device-added: ${ratio.toFixed(2)} (aim: at most ${aims.event})`);
  const guestRatio = median(dimmer.toGuest) / median(virsh.toGuest);
  console.log(`ratio of medians to guest MemTotal: ${guestRatio.toFixed(2)} (aim: at most ${aims.guest})`);
}
