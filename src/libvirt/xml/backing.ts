/** Reads what stands behind a domain's memory; what follows from it is memory/backing.ts. */
import type { HugePages, MemoryBacking, SharedWith } from '../../memory/backing.ts';
import { readCommandLineBacking } from './command-line.ts';
import { DomainXmlError, descend, nodeSetOf, maxNode, countOf } from './reading.ts';
import { parseScaledSize } from './scaled-size.ts';
import { childOf, childrenOf, type XmlElement } from './tree.ts';

function readHugePages(domain: XmlElement): HugePages[] {
  const hugePages = descend(domain, 'memoryBacking', 'hugepages');
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

/**
 * Types of `<hostdev>`, `<interface>` and `<disk>` whose device has all of the guest's memory pinned (VFIO, vDPA). QEMU's own
 * driver for NVMe is one of VFIO (libvirt's qemuDomainNeedsVFIO).
 */
const pinning = /^(pci|mdev|hostdev|vdpa|vhostvdpa|nvme)$/;

type CommandLine = ReturnType<typeof readCommandLineBacking>;

function readPins(domain: XmlElement, commandLine: CommandLine): boolean {
  const devices = childOf(domain, 'devices');
  const isPinned = ['hostdev', 'interface', 'disk'].some((name) =>
    childrenOf(devices, name).some((device) => pinning.test(device.attributes.get('type') ?? '')),
  );
  return isPinned || commandLine.pins;
}

function readTouches(domain: XmlElement, commandLine: CommandLine): boolean {
  const backing = childOf(domain, 'memoryBacking');
  const isImmediate = descend(backing, 'allocation')?.attributes.get('mode') === 'immediate';
  return isImmediate || descend(backing, 'locked') !== undefined || commandLine.touches;
}

function readHostNodes(domain: XmlElement): MemoryBacking['hostNodes'] {
  const numatune = childOf(domain, 'numatune');
  const setOf = (element: XmlElement, path: string): readonly number[] | null => {
    const nodes = element.attributes.get('nodeset');
    // `strict` is what libvirt takes where no mode stands; the other modes prefer their nodes and take from all.
    const binds = /^(strict|restrictive)$/.test(element.attributes.get('mode') ?? 'strict');
    return nodes === undefined || !binds ? null : nodeSetOf(nodes, `${path}/@nodeset`);
  };
  const memory = numatune && childOf(numatune, 'memory');
  const byNode = new Map<number, readonly number[]>();
  for (const element of childrenOf(numatune, 'memnode')) {
    const path = 'numatune/memnode';
    const nodes = setOf(element, path);
    if (nodes !== null) byNode.set(countOf(element.attributes.get('cellid'), maxNode, `${path}/@cellid`), nodes);
  }
  return { others: memory === undefined ? null : setOf(memory, 'numatune/memory'), byNode };
}

function readSharedWith(domain: XmlElement, { isShared }: CommandLine): SharedWith | null {
  const devices = childOf(domain, 'devices');
  const isVirtiofs = (filesystem: XmlElement): boolean =>
    descend(filesystem, 'driver')?.attributes.get('type') === 'virtiofs';
  if (childrenOf(devices, 'filesystem').some(isVirtiofs)) return 'virtiofs';
  const isVhostUser = (device: XmlElement): boolean => /^vhost-?user$/.test(device.attributes.get('type') ?? '');
  const isVideo = (video: XmlElement): boolean => descend(video, 'driver')?.attributes.get('name') === 'vhostuser';
  const isKnown =
    ['interface', 'disk'].some((name) => childrenOf(devices, name).some(isVhostUser)) ||
    childrenOf(devices, 'video').some(isVideo);
  return isKnown || isShared ? 'vhost-user' : null;
}

export function readBacking(domain: XmlElement): MemoryBacking {
  const commandLine = readCommandLineBacking(domain);
  const pins = readPins(domain, commandLine);
  return {
    hugePages: readHugePages(domain),
    preallocates: pins || readTouches(domain, commandLine),
    pins,
    hostNodes: readHostNodes(domain),
    sharedWith: readSharedWith(domain, commandLine),
  };
}
