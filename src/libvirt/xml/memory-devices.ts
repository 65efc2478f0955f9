/** Reads the `<memory>` devices of a domain: the modules, and those that Dimmer never touches. */
import { type Bytes, zeroBytes } from '../../memory/bytes.ts';
import { isOurs, type MemoryDevice } from '../../memory/memory-devices.ts';
import type { DimmDevice, OtherMemoryDevice } from './domain-memory.ts';
import { countOf, DomainXmlError, maxNode, maxSlot, nodeSetOf, quote, requireChild, sizeOf } from './reading.ts';
import { parseAddress } from './scaled-size.ts';
import { childOf, childrenOf, type XmlElement } from './tree.ts';

/** Those that libvirt knows. */
export type MemoryDevices = { readonly modules: readonly DimmDevice[]; readonly others: readonly OtherMemoryDevice[] };

/** Slot and base of a device that has an address of type dimm. */
function dimmAddress(device: XmlElement, path: string): { readonly slot: number | null; readonly base: Bytes | null } {
  const address = childrenOf(device, 'address').find((candidate) => candidate.attributes.get('type') === 'dimm');
  const slot = address?.attributes.get('slot');
  const baseText = address?.attributes.get('base');
  const base = baseText === undefined ? null : parseAddress(baseText);
  if (baseText !== undefined && base === null) {
    throw new DomainXmlError(`${path}/address/@base`, `${quote(baseText)} is not an address`);
  }
  return { slot: slot === undefined ? null : countOf(slot, maxSlot, `${path}/address/@slot`), base };
}

/** What virtio-mem gives and was asked for; `<current>` stands in the XML of a running domain only. */
function readGiven(
  target: XmlElement,
  model: string,
  size: Bytes,
  path: string,
): Pick<MemoryDevice, 'given' | 'requested'> {
  if (model !== 'virtio-mem') return { given: size, requested: size };
  const read = (name: string): Bytes | null => {
    const element = childOf(target, name);
    return element === undefined ? null : sizeOf(element, `${path}/${name}`);
  };
  const requested = read('requested') ?? zeroBytes;
  return { given: read('current') ?? requested, requested };
}

/** Where a device lies whose own address is on a bus; null: libvirt doesn't show it. */
function targetAddress(target: XmlElement, path: string): Bytes | null {
  const baseText = childOf(target, 'address')?.attributes.get('base');
  const base = baseText === undefined ? null : parseAddress(baseText);
  if (baseText !== undefined && base === null) {
    throw new DomainXmlError(`${path}/target/address/@base`, `${quote(baseText)} is not an address`);
  }
  return base;
}

export function readMemoryDevices(domain: XmlElement): MemoryDevices {
  const modules: DimmDevice[] = [];
  const others: OtherMemoryDevice[] = [];
  childrenOf(childOf(domain, 'devices'), 'memory').forEach((device, index) => {
    const path = `devices/memory[${index}]`;
    const model = device.attributes.get('model');
    if (model === undefined) throw new DomainXmlError(`${path}/@model`, 'is missing');
    const target = requireChild(device, 'target', path);
    const size = sizeOf(requireChild(target, 'size', `${path}/target`), `${path}/target/size`);
    const { slot, base } = dimmAddress(device, path);
    if (!isOurs(model)) {
      // virtio-mem and virtio-pmem, since libvirt 9.4.
      const place = base ?? targetAddress(target, path);
      others.push({ model, slot, base: place, size, ...readGiven(target, model, size, `${path}/target`) });
      return;
    }
    if (size === 0) throw new DomainXmlError(`${path}/target/size`, 'is 0');
    const node = childOf(target, 'node');
    const source = childOf(device, 'source');
    const pageSize = source && childOf(source, 'pagesize');
    const nodeMask = source && childOf(source, 'nodemask');
    const alias = childOf(device, 'alias');
    modules.push({
      slot,
      base,
      size,
      alias: alias?.attributes.get('name') ?? null,
      node: node === undefined ? 0 : countOf(node.text, maxNode, `${path}/target/node`),
      pageSize: pageSize === undefined ? null : sizeOf(pageSize, `${path}/source/pagesize`),
      hostNodes: nodeMask === undefined ? null : nodeSetOf(nodeMask.text, `${path}/source/nodemask`),
    });
  });

  const slots = [...modules, ...others].flatMap((device) => (device.slot === null ? [] : [device.slot]));
  const twice = slots.find((slot, index) => slots.indexOf(slot) !== index);
  if (twice !== undefined) throw new DomainXmlError('devices/memory', `slot ${twice} is held twice`);
  return { modules, others };
}
