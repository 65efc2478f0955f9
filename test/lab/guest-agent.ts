/**
 * A QEMU guest agent for guests of the lab that speaks the two commands Dimmer asks: a script of the guest's own shell on
 * the guest's end of the channel. What it says of memory blocks is what the guest's kernel says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabGuest } from './guest-types.ts';

/** The channel that libvirt reaches it by; while none runs in the guest nobody answers there. */
export const guestAgentChannel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

const script = readFileSync(join(import.meta.dirname, 'guest-agent.sh'), 'utf8');

/** Starts it in the guest, where it stays until the guest is reset. */
export async function startGuestAgent(guest: LabGuest): Promise<void> {
  await guest.shOk(`cat >/tmp/guest-agent.sh <<'EOF'\n${script}EOF`);
  await guest.shOk('setsid sh /tmp/guest-agent.sh </dev/null >/dev/null 2>&1 &');
}
