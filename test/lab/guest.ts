import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { guestAgentChannel } from './guest-agent.ts';
import { ensureGuestAgentImage } from './guest-agent-image.ts';
import { type GuestHandle, type GuestHypervisor, guestOf } from './guest-handle.ts';
import { ensureGuestImage } from './guest-image.ts';
import type { GuestKind, GuestOptions, LabGuest } from './guest-types.ts';
import { type GuestHardware, guestXml } from './guest-xml.ts';
import { withFileLock } from './lock.ts';
import { reportToTerminal } from './progress.ts';
import { addressSavedGuest, type GuestIdentity, keepSavedGuest, savedGuestFile } from './saved-guest.ts';

/**
 * Defines a domain, has it run and waits until the guest answers: half a second where one like it has booted on this
 * machine before, else 4 to 6 s on an idle machine.
 */
export async function startGuest(hypervisor: GuestHypervisor, options: GuestOptions): Promise<LabGuest> {
  const ensureImage = options.guestAgent === true ? ensureGuestAgentImage : ensureGuestImage;
  const image = options.kind === 'no-os' ? null : await ensureImage(reportToTerminal);
  const uuid = options.uuid ?? randomUUID();
  const name = options.name ?? `${options.kind}-${uuid.slice(0, 8)}`;
  const directory = join(hypervisor.directory, 'guests');
  const files = {
    xml: join(directory, `${name}.xml`),
    consoleLog: join(directory, `${name}.log`),
    // A socket's path has room for 107 bytes, a name may be longer.
    shellSocket: join(directory, `${uuid.slice(0, 8)}.sock`),
  };
  const hardware = {
    ...files,
    name,
    uuid,
    nodes: options.nodes ?? [{ mib: 512, vcpus: 1 }],
    slots: options.slots ?? 16,
    maxMemoryMib: options.maxMemoryMib === undefined ? 8192 : options.maxMemoryMib,
    boot: image === null ? null : { ...image, kernelArgs: kernelArgs(options) },
    balloon: options.balloon ?? true,
    terminal: options.terminal ?? false,
    extraXml: options.extraXml ?? '',
    extraDevicesXml: `${options.guestAgent === true ? guestAgentChannel : ''}${options.extraDevicesXml ?? ''}`,
  };
  writeFileSync(files.xml, guestXml(hardware));
  await hypervisor.virshOk(['define', files.xml]);
  const guest = guestOf(hypervisor, options.kind, name, uuid, files);
  if (options.leaveOff === true) return guest;
  if (image === null || options.boots === true) await guest.start();
  else await startAsKept(guest, hardware, { ...files, directory: hypervisor.directory, name, uuid });
  return guest;
}

/**
 * Restores the guest from what is kept of its likes. Where nothing is, it boots and is kept; then it is restored too, so
 * that what tests meet doesn't depend on which of them came first. What can't be restored is made again.
 */
async function startAsKept(guest: GuestHandle, hardware: GuestHardware, who: GuestIdentity): Promise<void> {
  const kept = savedGuestFile(hardware, who);
  const file = `${who.xml}.save`;
  const restore = async (): Promise<void> => {
    await addressSavedGuest(kept, file, who);
    await guest.restore(file);
    rmSync(file);
  };
  if (existsSync(kept)) {
    try {
      await restore();
      return;
    } catch (error) {
      reportToTerminal(`guest ${who.name} boots anew, ${kept} can't be restored: ${String(error)}`);
      rmSync(kept, { force: true });
      await guest.destroy().catch(() => undefined);
    }
  }
  // One of them boots; its likes, of this lab and others, wait for it.
  mkdirSync(dirname(kept), { recursive: true });
  await withFileLock(`${kept}.lock`, async () => {
    if (existsSync(kept)) return;
    await guest.start();
    await guest.shOk('true');
    await guest.save(file);
    await keepSavedGuest(file, kept, who);
  });
  await restore();
}

const KIND_ARGS: Readonly<Record<Exclude<GuestKind, 'no-os'>, readonly string[]>> = {
  accepting: [],
  refusing: ['lab_refuse=1'],
  mixed: [],
  // A shuffled free list lets the pinning find a page in each block quickly.
  silent: ['lab_pin=1', 'page_alloc.shuffle=1'],
};

/** Left out of a boot under software emulation, where each is 0.1 s of a processor or more; and no page is cleared twice. */
const NOT_NEEDED = [
  ...['mitigations=off', 'cryptomgr.notests', 'rodata=off', 'nokaslr', 'lsm=', 'audit=0', 'ipv6.disable=1'],
  ...['initcall_blacklist=load_system_certificate_list', 'tsc=reliable', 'init_on_alloc=0'],
];

function kernelArgs(options: GuestOptions): string[] {
  return [
    ...['console=ttyS0', 'quiet', 'panic=1', 'memhp_default_state=online_movable', 'movable_node'],
    ...NOT_NEEDED,
    ...(options.kind === 'no-os' ? [] : KIND_ARGS[options.kind]),
    ...(options.balloonDriver === false ? ['lab_skip=virtio_balloon'] : []),
    ...(options.terminal === true ? ['lab_terminal=1'] : []),
    ...(options.kernelArgs ?? []),
  ];
}
