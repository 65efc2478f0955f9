/** What stands behind a domain's memory, by guest node, as libvirt decides it for a new DIMM. */
import { describe, expect, it, test } from 'vitest';
import { type Bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { backingsOf, type NodeBacking, regionsLeft } from '../../../src/memory/backing.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import { readDomainDocument } from '../../../src/libvirt/xml/domain.ts';

function read(more = '', devices = '', arch = "arch='x86_64' machine='pc-q35-7.2'"): DomainMemoryXml {
  const cells = "<cell id='0' memory='4' unit='GiB'/><cell id='1' memory='4' unit='GiB'/>";
  const result = readDomainDocument(
    `<domain type='kvm' id='7'><name>vm</name><maxMemory slots='16' unit='GiB'>64</maxMemory>${more}
      <os><type ${arch}>hvm</type></os><features><acpi/></features><cpu><numa>${cells}</numa></cpu>
      <devices>${devices}</devices></domain>`,
  );
  if (!result.ok) throw new Error(`${result.error.path} ${result.error.problem}`);
  return result.value;
}
/** As people hand it to QEMU past libvirt. */
const commandLine = (...args: readonly string[]): string =>
  `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>${args
    .map((arg) => `<qemu:arg value='${arg}'/>`)
    .join('')}</qemu:commandline>`;
const behind = (...args: Parameters<typeof read>): NodeBacking[] => backingsOf(read(...args), mib(2));
const pagesOf = (pages: string, arch?: string): (Bytes | null)[] =>
  behind(`<memoryBacking><hugepages>${pages}</hugepages></memoryBacking>`, '', arch).flatMap(({ nodes, pageSize }) =>
    nodes.map(() => pageSize),
  );

describe('page sizes by node', () => {
  const small = "<page size='2' unit='M' nodeset='1'/>";
  const large = "<page size='1' unit='G' nodeset='0'/>";
  test.each([
    ['none named: that of the host', '', [mib(2), mib(2)]],
    ['one for all', "<page size='1' unit='G'/>", [gib(1), gib(1)]],
    ['each its own', small + large, [gib(1), mib(2)]],
    ['the same in the other order', large + small, [gib(1), mib(2)]],
    ['one node only: the other has ordinary pages', large, [gib(1), null]],
    ['one node, and another size for the rest', `<page size='2' unit='M'/>${large}`, [gib(1), mib(2)]],
    ['ordinary pages by name', `<page size='4' unit='KiB' nodeset='1'/>${large}`, [gib(1), null]],
  ])('%s', (_name, pages, expected) => {
    expect(pagesOf(pages)).toEqual(expected);
  });

  it('64 KiB are ordinary pages on POWER', () => {
    const pages = "<page size='64' unit='KiB'/>";
    expect(pagesOf(pages, "arch='ppc64le' machine='pseries'")).toEqual([null, null]);
    expect(pagesOf(pages)).toEqual([64 * 1024, 64 * 1024]);
  });
});

describe('what makes QEMU touch a module at once', () => {
  const backing = (inside: string): string => `<memoryBacking>${inside}</memoryBacking>`;
  test.each([
    ['immediate allocation', backing("<allocation mode='immediate' threads='4'/>"), '', true],
    ['locked memory', backing('<locked/>'), '', true],
    ['huge pages', backing('<hugepages/>'), '', true],
    ['a VFIO device', '', "<hostdev mode='subsystem' type='pci' managed='yes'><source/></hostdev>", true],
    ['a mediated device', '', "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source/></hostdev>", true],
    ['an interface that is a VFIO device', '', "<interface type='hostdev' managed='yes'/>", true],
    ['vDPA', '', "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>", true],
    ['an NVMe disk by the driver of QEMU', '', "<disk type='nvme' device='disk'/>", true],
    ['VFIO on the command line', commandLine('-device', 'vfio-pci,host=01:00.0'), '', true],
    ['VFIO there, as JSON', commandLine('-device', '{"driver":"vfio-pci","host":"01:00.0"}'), '', true],
    ['vDPA on the command line', commandLine('-netdev', 'vhost-vdpa,id=n,vhostdev=/dev/vhost-vdpa-0'), '', true],
    ['preallocation on the command line', commandLine('-mem-prealloc'), '', true],
    ['locking on the command line', commandLine('-overcommit', 'mem-lock=on,cpu-pm=off'), '', true],
    ['locking what is touched there', commandLine('-overcommit', 'mem-lock=on-fault'), '', false],
    ['another device on the command line', commandLine('-device', 'virtio-rng-pci', '-netdev', 'user,id=n'), '', false],
    ['a USB device', '', "<hostdev mode='subsystem' type='usb'/>", false],
    ['memfd alone', backing("<source type='memfd'/><access mode='shared'/>"), '', false],
    ['allocation on demand', backing("<allocation mode='ondemand'/>"), '', false],
    ['nothing', '', "<interface type='network'/><disk type='file'/>", false],
  ])('%s', (_name, more, devices, expected) => {
    expect(behind(more, devices).map(({ preallocated }) => preallocated)).toEqual([expected]);
  });
});

it('what a device has pinned is told from what is touched', () => {
  const pins = (more: string, devices = '') => read(more, devices).backing.pins;
  expect(pins('', "<hostdev mode='subsystem' type='pci'/>")).toBe(true);
  expect(pins(commandLine('-device', 'vfio-pci,host=01:00.0'))).toBe(true);
  expect(pins('<memoryBacking><hugepages/><locked/></memoryBacking>')).toBe(false);
  expect(pins(commandLine('-mem-prealloc'))).toBe(false);
});

describe('the host nodes that memory must come from', () => {
  const nodesOf = (inside: string) =>
    behind(`<numatune>${inside}</numatune>`).flatMap(({ nodes, hostNodes }) => nodes.map(() => hostNodes));
  test.each([
    [
      'strict',
      "<memory mode='strict' nodeset='0,2'/>",
      [
        [0, 2],
        [0, 2],
      ],
    ],
    ['strict where no mode stands', "<memory nodeset='1'/>", [[1], [1]]],
    ['by guest node', "<memory mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='3'/>", [[0], [3]]],
    ['preferred nodes bind nothing', "<memory mode='preferred' nodeset='0'/>", [null, null]],
    ['chosen by libvirt', "<memory mode='strict' placement='auto'/>", [null, null]],
  ])('%s', (_name, inside, expected) => {
    expect(nodesOf(inside)).toEqual(expected);
  });
});

it('the limit of the control group is read, in any unit; "no limit" is none', () => {
  const limit = (text: string) => read(`<memtune><hard_limit ${text}</hard_limit></memtune>`).hardLimit;
  expect(limit("unit='KiB'>5242880")).toBe(gib(5));
  expect(limit("unit='G'>5")).toBe(gib(5));
  expect(limit("unit='KiB'>9007199254740991")).toBeNull();
  expect(read().hardLimit).toBeNull();
});

describe('another process that maps the memory', () => {
  test.each([
    ['virtiofs', "<filesystem type='mount'><driver type='virtiofs'/></filesystem>", { backend: 'virtiofs', left: 5 }],
    ['an interface', "<interface type='vhostuser'/>", { backend: 'vhost-user', left: 5 }],
    ['a disk', "<disk type='vhostuser'/>", { backend: 'vhost-user', left: 5 }],
    [
      'a display',
      "<video><driver name='vhostuser'/><model type='virtio'/></video>",
      { backend: 'vhost-user', left: 5 },
    ],
    ['an ordinary display', "<video><driver name='qemu'/><model type='virtio'/></video>", null],
    ['9p', "<filesystem type='mount'><driver type='path'/></filesystem>", null],
  ])('%s', (_name, device, expected) => {
    expect(regionsLeft(read('', device))).toEqual(expected);
  });

  test.each([
    ['a file system', ['-device', 'vhost-user-fs-pci,chardev=c,tag=t']],
    ['a network', ['-netdev', 'vhost-user,id=n,chardev=c']],
    ['a network, by name', ['--netdev', 'type=vhost-user,id=n,chardev=c']],
  ])('%s on the command line', (_name, args) => {
    expect(regionsLeft(read(commandLine(...args)))).toEqual({ backend: 'vhost-user', left: 5 });
  });
});
