/**
 * The QEMU guest agent of guests of the lab: Debian's own, in a guest with `guestAgent: true`, and one of a few lines for what
 * that never says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabGuest } from './guest-types.ts';
import { waitFor } from './wait.ts';

/** The channel that libvirt reaches it by; while none runs in the guest nobody answers there. */
export const guestAgentChannel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

const lies = readFileSync(join(import.meta.dirname, 'guest-agent.sh'), 'utf8');

/** Starts Debian's qemu-ga in the guest. @param blocked commands that its admin doesn't allow */
export async function startGuestAgent(guest: LabGuest, blocked: readonly string[] = []): Promise<void> {
  const options = blocked.length === 0 ? '' : `--block-rpcs=${blocked.join(',')}`;
  await guest.shOk(
    'for port in /sys/class/virtio-ports/*; do grep -qx org.qemu.guest_agent.0 "$port/name" && break; done; ' +
      `setsid qemu-ga -p "/dev/\${port##*/}" -t /tmp -f /tmp/qemu-ga.pid ${options} </dev/null >/tmp/qemu-ga.log 2>&1 & ` +
      'echo $! >/tmp/agent.pid',
  );
  await isConnected(guest, true);
}

/** Starts one that says of every memory block that it is offline. */
export async function startLyingGuestAgent(guest: LabGuest): Promise<void> {
  await guest.shOk(`cat >/tmp/guest-agent.sh <<'EOF'\n${lies}EOF`);
  await guest.shOk('setsid sh /tmp/guest-agent.sh </dev/null >/dev/null 2>&1 & echo $! >/tmp/agent.pid');
  await isConnected(guest, true);
}

/** Kills what runs of them, wherever it is. */
export async function killGuestAgent(guest: LabGuest): Promise<void> {
  await guest.shOk('kill -9 $(cat /tmp/agent.pid)');
  await isConnected(guest, false);
}

/** Stops it in its tracks, with the channel open, or lets it go on. */
export async function freezeGuestAgent(guest: LabGuest, on: boolean): Promise<void> {
  await guest.shOk(`kill -${on ? 'STOP' : 'CONT'} $(cat /tmp/agent.pid)`);
}

const SIZE = '/sys/devices/system/memory/block_size_bytes';

/**
 * Has the agent hang at the file that it reads for its next answer: it is in step, and does not come to an end. Gives what
 * waits until it hangs, and what lets it go on.
 */
export async function hangGuestAgent(
  guest: LabGuest,
): Promise<{ readonly hangs: () => Promise<void>; readonly letGo: () => Promise<void> }> {
  await guest.shOk(`cat ${SIZE} >/tmp/size; mkfifo /tmp/no-size; mount --bind /tmp/no-size ${SIZE}`);
  return {
    hangs: async () => {
      await waitFor(
        async () => (await guest.sh('cat /proc/$(cat /tmp/agent.pid)/wchan')).out.includes('wait_for_partner'),
        {
          ...{ what: 'the agent in the guest to be asked', timeoutMs: 30_000 },
          details: async () => (await guest.sh('cat /proc/$(cat /tmp/agent.pid)/wchan; cat /tmp/qemu-ga.log')).out,
        },
      );
    },
    letGo: async () => {
      // Whoever is there reads the size, later ones find the file.
      await guest.shOk(`umount -l ${SIZE}; timeout 2 sh -c 'cat /tmp/size >/tmp/no-size'; rm /tmp/no-size`);
    },
  };
}

async function isConnected(guest: LabGuest, wanted: boolean): Promise<void> {
  const state = `state='${wanted ? 'connected' : 'disconnected'}'`;
  let channel = '';
  await waitFor(
    async () => {
      channel = /<channel[\s\S]*?<\/channel>/.exec(await guest.dumpXml())?.[0] ?? 'no channel';
      return channel.includes(state);
    },
    {
      what: `the guest agent's channel to be ${state}`,
      timeoutMs: 20_000,
      details: async () => `${channel}\n${(await guest.sh('cat /tmp/qemu-ga.log')).out}`,
    },
  );
}
