/** The memory devices that QEMU itself has, whatever libvirt knows of them (QMP: qapi/machine.json, qapi/qom.json). */
import { type Bytes, isBytes } from '../../memory/bytes.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { MonitorCommand } from './monitor.ts';

/** A memory device in QEMU. */
export type MonitorDevice = {
  /** `dimm`, `nvdimm`, `virtio-mem`, ... */
  readonly kind: string;
  /** The alias in libvirt; null: it has none. */
  readonly id: string | null;
  /** DIMM slot; null for devices that need none. */
  readonly slot: number | null;
  readonly base: Bytes;
  readonly size: Bytes;
};

export const queryMemoryDevices: MonitorCommand = { execute: 'query-memory-devices' };
/** Objects that were made by command, memory backends among them. */
const listObjects: MonitorCommand = { execute: 'qom-list', arguments: { path: '/objects' } };
/** Asks the guest to give a device up; answered at once. */
export const deleteDevice = (id: string): MonitorCommand => ({ execute: 'device_del', arguments: { id } });
/** Fails while a device uses the object. */
export const deleteObject = (id: string): MonitorCommand => ({ execute: 'object-del', arguments: { id } });

const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

function readDevice(value: unknown): MonitorDevice | null {
  const { type, data } = members(value);
  const { id, slot, addr, memaddr, size } = members(data);
  const base = addr ?? memaddr; // virtio devices have their PCI address elsewhere
  if (typeof type !== 'string' || !isBytes(base) || !isBytes(size)) return null;
  return {
    kind: type,
    id: typeof id === 'string' && id !== '' ? id : null,
    slot: Number.isSafeInteger(slot) && (slot as number) >= 0 ? (slot as number) : null,
    base,
    size,
  };
}

/** What {@link queryMemoryDevices} returned; null when it can't be understood. */
export function readMemoryDevices(value: unknown): readonly MonitorDevice[] | null {
  if (!Array.isArray(value)) return null;
  const devices = value.map(readDevice);
  return devices.every((device) => device !== null) ? devices : null;
}

/** The names of the memory backends in what {@link listObjects} returned; null when it can't be understood. */
export function readMemoryBackends(value: unknown): readonly string[] | null {
  if (!Array.isArray(value)) return null;
  return value.flatMap((entry: unknown) => {
    const { name, type } = members(entry);
    return typeof name === 'string' && typeof type === 'string' && type.startsWith('child<memory-backend-')
      ? [name]
      : [];
  });
}

/** What QEMU has of memory: devices, and the names of the backends. */
export type MonitorMemory = { readonly devices: readonly MonitorDevice[]; readonly backends: readonly string[] };

/** Asks QEMU. null: its answer can't be understood. Rejects with a LibvirtError. */
export async function askMonitorMemory(
  hypervisor: Pick<Hypervisor, 'monitorCommand'>,
  uuid: string,
): Promise<MonitorMemory | null> {
  const first = await hypervisor.monitorCommand(uuid, queryMemoryDevices);
  const second = await hypervisor.monitorCommand(uuid, listObjects);
  const devices = first.ok ? readMemoryDevices(first.value) : null;
  const backends = second.ok ? readMemoryBackends(second.value) : null;
  return devices === null || backends === null ? null : { devices, backends };
}
