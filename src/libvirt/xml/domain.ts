/**
 * Reads what memory needs from a domain's XML, whatever else is in it. Only what is read can be malformed; every other
 * element and device is passed over.
 */
import { type Bytes, sumBytes } from '../../memory/bytes.ts';
import type { NodeMemory } from '../../memory/module.ts';
import { emptyOperationState } from '../../memory/operation-state.ts';
import type {
  DimmDevice,
  DomainMemoryXml,
  HotplugObstacle,
  HugePages,
  OtherMemoryDevice,
  XmlResult,
} from './domain-memory.ts';
import { maxPeriodSeconds, periodNamespace, readPeriodElement } from './statistics-period.ts';
import { parseAddress, parseCount, parseNodeSet, parseScaledSize } from './scaled-size.ts';
import { stateNamespace } from './operation-state.ts';
import { ownerNamespace, readOwnerElement } from './owner.ts';
import { readStateElement } from './read-operation-state.ts';
import type { Outline } from './parts.ts';
import { childOf, childrenOf, parseXml, type XmlElement, type XmlElements } from './tree.ts';
import { isUuid } from '../rpc/xdr.ts';

/** What is read of a domain. Modules and marks come and go one by one, so that each is a part of its own. */
const outline: Outline = new Map<string, Outline | 'whole'>([
  ...['name', 'uuid', 'memory', 'currentMemory', 'maxMemory', 'memoryBacking', 'os', 'features', 'cpu'].map(
    (name) => [name, 'whole'] as const,
  ),
  ['metadata', new Map([['*', new Map([['*', 'whole']])]])],
  [
    'devices',
    new Map([
      ['memory', 'whole'],
      ['memballoon', 'whole'],
    ]),
  ],
]);

/** Stays inside this file. */
class DomainXmlError extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

const quote = (text: string): string => `'${text.trim().slice(0, 64)}'`;

function requireChild(parent: XmlElement, name: string, path: string): XmlElement {
  const child = childOf(parent, name);
  if (child === undefined) throw new DomainXmlError(path === '' ? name : `${path}/${name}`, 'is missing');
  return child;
}

/** An element such as `<size unit='KiB'>524288</size>`. */
function sizeOf(element: XmlElement, path: string): Bytes {
  const unit = element.attributes.get('unit');
  const size = parseScaledSize(element.text, unit);
  if (size === null) {
    throw new DomainXmlError(path, `${quote(element.text)} with unit ${quote(unit ?? 'KiB')} is not a size of memory`);
  }
  return size;
}

function countOf(text: string | undefined, max: number, path: string): number {
  const count = parseCount(text, max);
  if (count === null) throw new DomainXmlError(path, `${quote(text ?? '')} is not a whole number from 0 to ${max}`);
  return count;
}

function nodeSetOf(text: string, path: string): readonly number[] {
  const nodes = parseNodeSet(text);
  if (nodes === null) throw new DomainXmlError(path, `${quote(text)} is not a set of nodes`);
  return nodes;
}

const maxSlot = 255;
const maxNode = 1023;

function readBootCells(domain: XmlElement): NodeMemory[] {
  const cpu = childOf(domain, 'cpu');
  const numa = cpu === undefined ? undefined : childOf(cpu, 'numa');
  const cells = childrenOf(numa, 'cell').map((cell, index): NodeMemory => {
    const path = `cpu/numa/cell[${index}]`;
    const memory = cell.attributes.get('memory');
    const size = parseScaledSize(memory ?? '', cell.attributes.get('unit'));
    if (size === null) throw new DomainXmlError(`${path}/@memory`, `${quote(memory ?? '')} is not a size of memory`);
    // libvirt numbers cells by their order where the id is left out.
    const id = cell.attributes.get('id');
    return { node: id === undefined ? index : countOf(id, maxNode, `${path}/@id`), size };
  });
  if (new Set(cells.map((cell) => cell.node)).size !== cells.length) {
    throw new DomainXmlError('cpu/numa/cell', 'names a node twice');
  }
  return cells.sort((a, b) => a.node - b.node);
}

type MemoryDevices = { readonly modules: readonly DimmDevice[]; readonly others: readonly OtherMemoryDevice[] };

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

function readMemoryDevices(domain: XmlElement): MemoryDevices {
  const modules: DimmDevice[] = [];
  const others: OtherMemoryDevice[] = [];
  childrenOf(childOf(domain, 'devices'), 'memory').forEach((device, index) => {
    const path = `devices/memory[${index}]`;
    const model = device.attributes.get('model');
    if (model === undefined) throw new DomainXmlError(`${path}/@model`, 'is missing');
    const target = requireChild(device, 'target', path);
    const size = sizeOf(requireChild(target, 'size', `${path}/target`), `${path}/target/size`);
    const { slot, base } = dimmAddress(device, path);
    if (model !== 'dimm') {
      others.push({ model, slot, base, size });
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

/** Boot memory of a domain without NUMA cells: what `<memory>` says, less the devices that it counts in. */
function readFlatBoot(domain: XmlElement, devices: MemoryDevices): NodeMemory[] {
  const total = sizeOf(requireChild(domain, 'memory', ''), 'memory');
  const plugged = sumBytes([...devices.modules, ...devices.others].map((device) => device.size));
  if (plugged > total) throw new DomainXmlError('memory', 'is less than the memory devices together');
  return [{ node: 0, size: (total - plugged) as Bytes }];
}

function readMaxMemory(domain: XmlElement): DomainMemoryXml['maxMemory'] {
  const element = childOf(domain, 'maxMemory');
  if (element === undefined) return null;
  const slots = countOf(element.attributes.get('slots') ?? '0', maxSlot + 1, 'maxMemory/@slots');
  return { size: sizeOf(element, 'maxMemory'), slots };
}

function readHugePages(domain: XmlElement): HugePages[] {
  const backing = childOf(domain, 'memoryBacking');
  const hugePages = backing && childOf(backing, 'hugepages');
  if (hugePages === undefined) return [];
  const path = 'memoryBacking/hugepages/page';
  const pages = childrenOf(hugePages, 'page').map((page): HugePages => {
    const size = parseScaledSize(page.attributes.get('size') ?? '', page.attributes.get('unit'));
    if (size === null || size === 0) throw new DomainXmlError(`${path}/@size`, 'is not a page size');
    const nodes = page.attributes.get('nodeset');
    return { pageSize: size, nodes: nodes === undefined ? null : nodeSetOf(nodes, `${path}/@nodeset`) };
  });
  return pages.length > 0 ? pages : [{ pageSize: null, nodes: null }];
}

function readBalloon(domain: XmlElement): DomainMemoryXml['balloon'] {
  const devices = childOf(domain, 'devices');
  const balloon = devices && childOf(devices, 'memballoon');
  const model = balloon?.attributes.get('model');
  if (balloon === undefined || model === undefined || model === 'none') return null;
  const period = childOf(balloon, 'stats')?.attributes.get('period');
  return {
    model,
    statsPeriodSeconds:
      period === undefined ? 0 : countOf(period, maxPeriodSeconds, 'devices/memballoon/stats/@period'),
  };
}

/** Machines that tell their guest of a new module through ACPI; ppc64 and s390 have ways of their own. */
const needsAcpi = (arch: string): boolean => /^(x86_64|i686|aarch64|armv7l|loongarch64|riscv64)$/.test(arch);

function findHotplugObstacle(domain: XmlElement, arch: string, cells: number): HotplugObstacle | null {
  if (childOf(domain, 'maxMemory') === undefined) return 'NoMaxMemory';
  if (cells === 0) return 'NoNumaNodes';
  const features = childOf(domain, 'features');
  const acpi = features !== undefined && childOf(features, 'acpi') !== undefined;
  return needsAcpi(arch) && !acpi ? 'NoAcpi' : null;
}

function findMetadata(domain: XmlElement, namespace: string): XmlElement | undefined {
  return childOf(domain, 'metadata')?.children.find((child) => child.namespace === namespace);
}

function readRunningId(domain: XmlElement): number | null {
  const id = domain.attributes.get('id');
  return id === undefined || id.trim() === '-1' ? null : countOf(id, 0x7fffffff, '@id');
}

function readDomain(domain: XmlElement): DomainMemoryXml {
  if (domain.name !== 'domain') throw new DomainXmlError(domain.name, 'is not a domain');
  const type = domain.attributes.get('type');
  if (type === undefined) throw new DomainXmlError('@type', 'is missing');
  const uuid = requireChild(domain, 'uuid', '').text.trim().toLowerCase();
  if (!isUuid(uuid)) throw new DomainXmlError('uuid', `${quote(uuid)} is not a UUID`);
  const id = readRunningId(domain);
  const os = childOf(domain, 'os');
  const osType = os && childOf(os, 'type');
  const arch = osType?.attributes.get('arch') ?? '';

  const devices = readMemoryDevices(domain);
  const cells = readBootCells(domain);
  const boot = cells.length > 0 ? cells : readFlatBoot(domain, devices);
  const current = childOf(domain, 'currentMemory');
  const state = findMetadata(domain, stateNamespace);
  const owner = findMetadata(domain, ownerNamespace);
  const period = findMetadata(domain, periodNamespace);

  return {
    uuid,
    name: requireChild(domain, 'name', '').text,
    id,
    type,
    arch,
    machine: osType?.attributes.get('machine') ?? '',
    maxMemory: readMaxMemory(domain),
    hotplugObstacle: findHotplugObstacle(domain, arch, cells.length),
    boot,
    ...devices,
    currentMemory:
      current === undefined
        ? sumBytes([...boot, ...devices.modules, ...devices.others].map((part) => part.size))
        : sizeOf(current, 'currentMemory'),
    hugePages: readHugePages(domain),
    balloon: readBalloon(domain),
    periodToRestore: period === undefined ? null : readPeriodElement(period),
    state: state === undefined ? { ok: true, value: emptyOperationState } : readStateElement(state),
    ownerNamespace: owner === undefined ? { ok: true, value: null } : readOwnerElement(owner),
  };
}

/**
 * What Dimmer needs of a domain's XML, or the element that can't be read and why. Sizes in exact bytes.
 * Never throws, whatever the text is.
 * @param elements what was read of the same domain before
 */
export function readDomainMemory(xml: string, elements?: XmlElements): XmlResult<DomainMemoryXml> {
  const parsed = parseXml(xml, outline, elements);
  if (!parsed.ok) return { ok: false, error: { path: 'domain', problem: parsed.problem } };
  try {
    return { ok: true, value: readDomain(parsed.value) };
  } catch (error) {
    if (error instanceof DomainXmlError) return { ok: false, error: { path: error.path, problem: error.message } };
    // Sums past 2^53 - 1.
    if (error instanceof RangeError) return { ok: false, error: { path: 'memory', problem: error.message } };
    throw error;
  }
}
