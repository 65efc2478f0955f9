/**
 * What a change costs: `virsh` as an admin types it, the agent's HTTP call as the controller sends it, and the bare
 * RPC call, in turn on the same guest. Each is timed from its start to its answer: virsh to the end of its process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../../src/host/port.ts';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';
import { median, quantile, summaryRow } from '../summary.ts';

const rounds = 40;
const size = mib(128);

/** One way to plug and unplug the module of a slot; each gives the time it took, ms. */
type Way = {
  readonly name: string;
  readonly firstSlot: number;
  readonly plug: (slot: number) => Promise<number>;
  readonly unplug: (slot: number) => Promise<number>;
  readonly plugs: number[];
  readonly unplugs: number[];
};

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const aliasOf = (slot: number): string => `ua-bench-${slot}`;

function virshWay({ directory, uri }: LabHypervisor, guest: LabGuest): Way {
  const virsh = (...args: string[]): Promise<number> =>
    timed(async () => {
      const child = spawn('virsh', ['--connect', uri, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
      const [code] = (await once(child, 'exit')) as [number];
      if (code !== 0) throw new Error(`virsh ${args.join(' ')} failed`);
    });
  return {
    ...{ name: 'virsh', firstSlot: 128, plugs: [], unplugs: [] },
    plug(slot) {
      const file = join(directory, 'bench-dimm.xml');
      writeFileSync(file, writeDimmXml({ slot, alias: aliasOf(slot), size, node: 0 }));
      return virsh('attach-device', guest.uuid, file, '--live');
    },
    unplug: (slot) => virsh('detach-device-alias', guest.uuid, aliasOf(slot), '--live'),
  };
}

function httpWay(client: Host, guest: LabGuest): Way {
  const revision = async (): Promise<string> => valueOf(await client.observe(guest.uuid)).revision;
  return {
    ...{ name: 'HTTP', firstSlot: 0, plugs: [], unplugs: [] },
    async plug(slot) {
      const seen = await revision();
      return timed(async () => valueOf(await client.plug(guest.uuid, seen, plugRequest(slot, size))));
    },
    async unplug(slot) {
      const seen = await revision();
      return timed(async () => valueOf(await client.unplug(guest.uuid, seen, unplugRequest(slot))));
    },
  };
}

function rpcWay(hypervisor: Hypervisor, guest: LabGuest): Way {
  return {
    ...{ name: 'raw RPC', firstSlot: 64, plugs: [], unplugs: [] },
    plug(slot) {
      const xml = writeDimmXml({ slot, alias: aliasOf(slot), size, node: 0 });
      return timed(() => hypervisor.attachDevice(guest.uuid, xml));
    },
    unplug: (slot) => timed(() => hypervisor.detachDeviceAlias(guest.uuid, aliasOf(slot))),
  };
}

/** One module in and out again; the guest has taken it up in between, and given it up at the end. */
async function measure(way: Way, slot: number, guest: LabGuest): Promise<void> {
  const beforeKib = await guest.memTotalKiB();
  way.plugs.push(await way.plug(slot));
  await waitFor(async () => (await guest.memTotalKiB()) > beforeKib, {
    ...{ what: 'the guest to take the memory up', timeoutMs: 20_000, intervalMs: 20 },
  });
  way.unplugs.push(await way.unplug(slot));
  await waitFor(async () => (await guest.moduleAliases()).length === 0, {
    ...{ what: 'the guest to give the memory up', timeoutMs: 20_000, intervalMs: 20 },
  });
}

/** Runs the rounds and prints the figures; the guest has 256 slots. */
export async function benchChanges(
  lab: LabHypervisor,
  guest: LabGuest,
  client: Host,
  hypervisor: Hypervisor,
): Promise<void> {
  const ways = [virshWay(lab, guest), httpWay(client, guest), rpcWay(hypervisor, guest)] as const;
  await waitFor(async () => valueOf(await client.observe(guest.uuid)).guest?.fresh === true, {
    ...{ what: 'the guest to report', timeoutMs: 20_000 },
  });
  for (let round = 0; round < rounds; round += 1) {
    // In turn, and each as often first as the others.
    for (let turn = 0; turn < ways.length; turn += 1) {
      const way = ways[(round + turn) % ways.length];
      if (way !== undefined) await measure(way, way.firstSlot + round, guest);
    }
  }
  for (const way of ways) console.log(summaryRow(`plug, ${way.name}`, way.plugs));
  for (const way of ways) console.log(summaryRow(`unplug (asked), ${way.name}`, way.unplugs));
  const [virsh, http, rpc] = ways;
  const p99 = (values: readonly number[]): number => quantile(values, 0.99);
  const ratio = (of: readonly number[], to: readonly number[]): string =>
    `${(median(of) / median(to)).toFixed(2)} (p99 ${(p99(of) / p99(to)).toFixed(2)})`;
  const overRpc = median(http.plugs) - median(rpc.plugs);
  console.log(`HTTP plug / virsh plug: ${ratio(http.plugs, virsh.plugs)} (aim: at most 0.5)`);
  console.log(`HTTP plug - raw RPC plug: ${overRpc.toFixed(1)} ms in the median (aim: at most 5 ms)`);
  console.log(`HTTP plug / raw RPC plug: ${ratio(http.plugs, rpc.plugs)}`);
  console.log(`HTTP unplug / virsh unplug: ${ratio(http.unplugs, virsh.unplugs)}`);
  console.log(`HTTP unplug / raw RPC unplug: ${ratio(http.unplugs, rpc.unplugs)}`);
}
