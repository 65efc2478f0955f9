/**
 * What only QEMU's command line has (`<qemu:commandline>`): memory devices, and what else concerns a guest's memory. libvirt
 * hands it on unread, so that neither its own XML nor its checks know of it. What can't be understood is passed over: then
 * QEMU's own refusal is left.
 */
import { type Bytes, isBytes, zeroBytes } from '../../memory/bytes.ts';
import type { MemoryDevice } from '../../memory/memory-devices.ts';
import type { XmlElement } from './tree.ts';

const qemuNamespace = 'http://libvirt.org/schemas/domain/qemu/1.0';

/** What libvirt would call a driver of QEMU, or `pc-dimm`. */
function modelOf(driver: string): string | null {
  if (driver === 'pc-dimm' || driver === 'nvdimm') return driver;
  return /^(virtio-mem|virtio-pmem)(-pci|-ccw)?$/.exec(driver)?.[1] ?? null;
}

type Options = ReadonlyMap<string, string>;

/** `driver,key=value,...`, or the same as a JSON object (QEMU's `qobject_input_visitor_new_str`). */
function readOptions(text: string, first: string): Options {
  if (!text.startsWith('{')) {
    // A comma in a value is written twice.
    const parts = text.split(/(?<!,),(?!,)/).map((part): [string, string] => {
      const equals = part.indexOf('=');
      return equals < 0 ? [first, part] : [part.slice(0, equals), part.slice(equals + 1)];
    });
    return new Map(parts);
  }
  try {
    const members = Object.entries(JSON.parse(text) as Record<string, unknown>);
    return new Map(members.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));
  } catch {
    return new Map();
  }
}

/** `536870912`, `512M`, `1.5G`: bytes unless a letter says otherwise (QEMU's qemu_strtosz). */
function parseQemuSize(text: string | undefined): Bytes | null {
  const match = /^(\d{1,16}(?:\.\d{1,6})?)([bkmgtpe]?)$/i.exec(text ?? '');
  const power = ['b', 'k', 'm', 'g', 't', 'p', 'e'].indexOf((match?.[2] ?? '').toLowerCase() || 'b');
  const value = Number(match?.[1] ?? NaN) * 1024 ** power;
  return isBytes(value) ? value : null;
}

function readSlot(text: string | undefined): number | null {
  const slot = /^\d{1,3}$/.test(text ?? '') ? Number(text) : NaN;
  return slot <= 255 ? slot : null;
}

/** The arguments of the domain's `<qemu:commandline>`. */
function argumentsOf(domain: XmlElement): readonly string[] {
  const line = domain.children.find(({ name, namespace }) => name === 'commandline' && namespace === qemuNamespace);
  return line?.children.filter(({ name }) => name === 'arg').map((arg) => arg.attributes.get('value') ?? '') ?? [];
}

const isOption = (arg: string, option: string): boolean => arg === option || arg === `-${option}`;

/** What follows each `option` of the command line. */
const after = (args: readonly string[], option: string): readonly string[] =>
  args.flatMap((arg, index) => (isOption(arg, option) ? [args[index + 1] ?? ''] : []));

/** Devices that have all of the guest's memory pinned (VFIO, vDPA), and network backends that do. */
const pinningDevice = /^(vfio-|vhost-vdpa-)/;

/**
 * What the command line says of how memory is backed.
 * @returns `touches`: QEMU touches or locks all of it at once; `pins`: a device has it pinned; `isShared`: a vhost-user
 *   backend maps it
 */
export function readCommandLineBacking(domain: XmlElement): {
  readonly touches: boolean;
  readonly pins: boolean;
  readonly isShared: boolean;
} {
  const args = argumentsOf(domain);
  const devices = after(args, '-device').map((text) => readOptions(text, 'driver').get('driver') ?? '');
  const networks = after(args, '-netdev').map((text) => readOptions(text, 'type').get('type') ?? '');
  const isLocked = after(args, '-overcommit').some((text) =>
    /^(on|yes|true|y)$/.test(readOptions(text, '').get('mem-lock') ?? ''),
  );
  return {
    touches: isLocked || args.some((arg) => isOption(arg, '-mem-prealloc')),
    pins: devices.some((driver) => pinningDevice.test(driver)) || networks.includes('vhost-vdpa'),
    isShared: devices.some((driver) => driver.startsWith('vhost-user-')) || networks.includes('vhost-user'),
  };
}

/**
 * The memory devices of the domain's `<qemu:commandline>`.
 * @param taken slots of the devices that libvirt knows; QEMU gives the others the lowest that are free
 */
export function readCommandLineDevices(domain: XmlElement, taken: readonly number[]): MemoryDevice[] {
  const args = argumentsOf(domain);
  const backends = new Map<string, Bytes>();
  for (const text of after(args, '-object')) {
    const object = readOptions(text, 'qom-type');
    const size = parseQemuSize(object.get('size'));
    if (object.get('qom-type')?.startsWith('memory-backend-') === true && size !== null) {
      backends.set(object.get('id') ?? '', size);
    }
  }
  const held = new Set(taken);
  const nextSlot = (): number => {
    let slot = 0;
    while (held.has(slot)) slot++;
    return slot;
  };
  return after(args, '-device').flatMap((text): readonly MemoryDevice[] => {
    const device = readOptions(text, 'driver');
    const model = modelOf(device.get('driver') ?? '');
    const size = backends.get(device.get('memdev') ?? '');
    if (model === null || size === undefined) return [];
    const asked = model === 'virtio-mem' ? (parseQemuSize(device.get('requested-size')) ?? zeroBytes) : size;
    const isDimm = model === 'pc-dimm' || model === 'nvdimm';
    const slot = isDimm ? (readSlot(device.get('slot')) ?? nextSlot()) : null;
    if (slot !== null) held.add(slot);
    return [{ model, slot, size, given: asked, requested: asked }];
  });
}
