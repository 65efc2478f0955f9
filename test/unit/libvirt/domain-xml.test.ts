/** The fixtures are what `virsh dumpxml` of libvirt 9.0.0 gave, file paths apart. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GiB, gib, KiB, MiB, mib } from '../../../src/memory/bytes.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`./fixtures/domains/${name}.xml`, import.meta.url), 'utf8');

function read(xml: string): DomainMemoryXml {
  const result = readDomainMemory(xml);
  if (!result.ok) throw new Error(`${result.error.path}: ${result.error.problem}`);
  return result.value;
}

const uuid = 'a65b18bc-a377-478e-9ee5-709566c57be8';

/** A small running domain; `parts` are put in or replace what is there. */
function domain(
  parts: {
    attributes?: string;
    head?: string;
    memory?: string;
    cpu?: string;
    devices?: string;
    features?: string;
  } = {},
): string {
  const {
    attributes = "type='kvm' id='7'",
    head = `<name>vm</name><uuid>${uuid}</uuid><maxMemory slots='16' unit='KiB'>8388608</maxMemory>`,
    memory = "<memory unit='KiB'>1048576</memory>",
    cpu = "<cpu><numa><cell id='0' cpus='0' memory='1048576' unit='KiB'/></numa></cpu>",
    devices = '',
    features = '<features><acpi/></features>',
  } = parts;
  const os = "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>";
  return `<domain ${attributes}>${head}${memory}${os}${features}${cpu}<devices>${devices}</devices></domain>`;
}

const dimm = (
  parts: { size?: string; address?: string; node?: string; extra?: string; model?: string } = {},
): string => {
  const {
    size = "<size unit='KiB'>131072</size>",
    address = "<address type='dimm' slot='0' base='0x100000000'/>",
    node = '<node>0</node>',
    extra = "<alias name='ua-dimmer-0'/>",
    model = " model='dimm'",
  } = parts;
  return `<memory${model}><target>${size}${node}</target>${extra}${address}</memory>`;
};

describe('a domain that libvirt described', () => {
  test('running, with modules, an NVDIMM, virtio-mem, two nodes, an owner and foreign metadata', () => {
    expect(read(fixture('rich-running'))).toEqual({
      uuid,
      name: 'rich',
      id: 3,
      type: 'qemu',
      arch: 'x86_64',
      machine: 'pc-q35-7.2',
      maxMemory: { size: gib(16), slots: 16 },
      hotplugObstacle: null,
      boot: [
        { node: 0, size: mib(512) },
        { node: 1, size: mib(512) },
      ],
      hasNumaNodes: true,
      modules: [
        { slot: 0, base: 0x100000000, size: mib(256), alias: 'dimm0', node: 1, pageSize: null, hostNodes: null },
        { slot: 3, base: 0x110000000, size: mib(128), alias: 'ua-dimmer-3', node: 0, pageSize: null, hostNodes: null },
      ],
      others: [
        { model: 'nvdimm', slot: 1, base: 0x118000000, size: mib(512), given: mib(512), requested: mib(512) },
        { model: 'virtio-mem', slot: null, base: null, size: gib(1), given: 0, requested: mib(256) },
      ],
      otherTotal: 0,
      currentMemory: 1441792 * KiB,
      backing: {
        ...{ hugePages: [], preallocates: false, pins: false, sharedWith: null },
        hostNodes: { others: null, byNode: new Map() },
      },
      hardLimit: null,
      balloon: { model: 'virtio', statsPeriodSeconds: 5 },
      periodToRestore: null,
      leader: null,
      state: { ok: true, value: { claim: null, marks: [], replacement: null } },
      ownerNamespace: { ok: true, value: 'tenants' },
    });
  });

  test('shut off: slots are there, bases are not, an automatic alias neither', () => {
    const { id, modules, others } = read(fixture('rich-shut-off'));
    expect(id).toBeNull();
    expect(modules.map(({ slot, base, alias }) => [slot, base, alias])).toEqual([
      [0, null, null],
      [3, null, 'ua-dimmer-3'],
    ]);
    expect(others.map(({ model, slot }) => [model, slot])).toEqual([
      ['nvdimm', 1],
      ['virtio-mem', null],
      ['virtio-pmem', null],
    ]);
  });

  test('with a module that is still being attached: it has no base yet', () => {
    const { modules } = read(fixture('attaching'));
    expect(modules.filter((module) => module.base === null)).toEqual([
      { slot: 6, base: null, size: mib(128), alias: 'ua-dimmer-6', node: 0, pageSize: null, hostNodes: null },
    ]);
  });

  test('with huge pages, 256 slots and a size that was given in GB', () => {
    const { maxMemory, backing, modules } = read(fixture('huge-pages'));
    expect(maxMemory).toEqual({ size: 1024 * GiB, slots: 256 });
    expect(backing.hugePages).toEqual([
      { pageSize: mib(2), nodes: [0] },
      { pageSize: gib(1), nodes: [1] },
    ]);
    expect(modules).toMatchObject([{ node: 1, size: 976563 * KiB, pageSize: mib(2), hostNodes: [0, 1] }]);
  });

  test('without NUMA cells, maxMemory and balloon, and with metacharacters', () => {
    expect(read(fixture('flat'))).toMatchObject({
      name: 'flat & "plain" <vm>',
      boot: [{ node: 0, size: gib(1) }],
      modules: [],
      currentMemory: mib(768),
      maxMemory: null,
      hotplugObstacle: 'NoMaxMemory',
      balloon: null,
    });
  });
});

describe('boot memory', () => {
  test('is the sum of the cells, whatever <memory> says', () => {
    const cells = "<cell id='1' memory='1' unit='GiB'/><cell id='0' memory='524288'/>";
    const boot = read(
      domain({ cpu: `<cpu><numa>${cells}</numa></cpu>`, memory: "<memory unit='GiB'>99</memory>" }),
    ).boot;
    expect(boot).toEqual([
      { node: 0, size: mib(512) },
      { node: 1, size: gib(1) },
    ]);
  });

  test('without cells is <memory> less every memory device, and nothing can be plugged', () => {
    const devices = dimm() + dimm({ model: " model='virtio-mem'", address: '', size: "<size unit='MiB'>256</size>" });
    const value = read(domain({ cpu: '', devices }));
    expect(value.boot).toEqual([{ node: 0, size: mib(1024 - 128 - 256) }]);
    expect(value.hotplugObstacle).toBe('NoNumaNodes');
  });

  test('without ACPI nothing can be plugged on a PC, but can on POWER', () => {
    expect(read(domain({ features: '' })).hotplugObstacle).toBe('NoAcpi');
    expect(
      read(domain({ features: '' }).replace('x86_64', 'ppc64').replace('pc-q35-7.2', 'pseries')).hotplugObstacle,
    ).toBeNull();
  });

  test('defaults currentMemory to all there is', () => {
    expect(read(domain({ devices: dimm() })).currentMemory).toBe(1152 * MiB);
  });
});

describe('what runs in the guest', () => {
  const osinfo = (id: string): string =>
    `<metadata><l:libosinfo xmlns:l="http://libosinfo.org/xmlns/libvirt/domain/1.0"><l:os id="${id}"/></l:libosinfo></metadata>`;
  const hyperv = "<features><acpi/><hyperv mode='custom'><relaxed state='on'/></hyperv></features>";

  test.each([
    ['nothing says', domain(), undefined],
    ['libosinfo says Windows', domain({ cpu: osinfo('http://microsoft.com/win/2k22') }), 'Windows'],
    ['Hyper-V enlightenments', domain({ features: hyperv }), 'Windows'],
    [
      'libosinfo says Linux, whatever the features',
      domain({ features: hyperv, cpu: osinfo('http://debian.org/debian/12') }),
      undefined,
    ],
  ])('%s', (_, xml, system) => {
    const withCell = xml.includes('<cpu>')
      ? xml
      : xml.replace(
          '<devices>',
          "<cpu><numa><cell id='0' cpus='0' memory='1048576' unit='KiB'/></numa></cpu><devices>",
        );
    expect(read(withCell).guestSystem).toBe(system);
  });
});

describe('whatever else is in the XML is passed over', () => {
  const noise: [string, string][] = [
    ['unknown devices', "<warpdrive model='x'><memory model='dimm'/></warpdrive><memoryx/>"],
    ['comments', "<!-- <memory model='dimm'/> -->"],
    ['CDATA', "<x><![CDATA[<memory model='dimm'><!DOCTYPE x [<!ENTITY a 'b'>]>]]></x>"],
    ['a memory device of another namespace', "<q:memory xmlns:q='http://example.org/q' model='dimm'/>"],
    ['an undeclared prefix', '<p:memory/>'],
  ];
  test.each(noise)('%s', (_name, text) => {
    expect(read(domain({ devices: text + dimm() + text })).modules).toHaveLength(1);
  });

  test('a memory device of a model that nobody knows yet counts as another one', () => {
    const unknown = dimm({ model: " model='cxl-mem'", address: "<address type='cxl' slot='99'/>", node: '' });
    expect(read(domain({ devices: unknown })).others).toEqual([
      { model: 'cxl-mem', slot: null, base: null, size: mib(128), given: mib(128), requested: mib(128) },
    ]);
  });

  test('a huge file', () => {
    const disk = "<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/></disk>";
    expect(read(domain({ devices: disk.repeat(10_000) + dimm() })).modules).toHaveLength(1);
  });

  test('what the agent keeps there is read by namespace, damaged or not', () => {
    const state = (inside: string): string =>
      `<metadata><x:state xmlns:x='https://dimmer.dev/xmlns/state/1'>${inside}</x:state></metadata>`;
    const claim = "<x:claim clusterId='c' objectUid='o' namespace='n' generation='3'/>";
    const withState = (inside: string): DomainMemoryXml =>
      read(domain({ features: `<features><acpi/></features>${state(inside)}` }));
    expect(withState(claim).state).toEqual({
      ok: true,
      value: { claim: { clusterId: 'c', objectUid: 'o', namespace: 'n', generation: 3 }, marks: [], replacement: null },
    });
    expect(withState('<x:claim/>').state).toEqual({
      ok: false,
      error: { path: 'state/claim/@clusterId', problem: 'is missing' },
    });
  });
});

describe('what is malformed is named', () => {
  const cell = (attributes: string): string => domain({ cpu: `<cpu><numa><cell ${attributes}/></numa></cpu>` });
  const cases: [string, string, string][] = [
    ['not XML at all', 'domain', 'hello'],
    ['nothing', 'domain', ''],
    ['tags that do not match', 'domain', '<domain><name></domain></name>'],
    ['a document type', 'domain', `<!DOCTYPE domain [<!ENTITY a "b">]>${domain()}`],
    ['an entity that nobody defined', 'domain', domain({ head: '<name>&a;</name>' })],
    ['depth without end', 'domain', domain({ devices: '<a>'.repeat(5000) + '</a>'.repeat(5000) })],
    ['too long', 'domain', domain({ devices: `<a>${'x'.repeat(4 * 1024 * 1024)}</a>` })],
    ['another document', 'network', '<network/>'],
    ['no type', '@type', '<domain/>'],
    ['no uuid', 'uuid', "<domain type='kvm'><name>x</name></domain>"],
    ['a bad uuid', 'uuid', "<domain type='kvm'><uuid>../../etc</uuid></domain>"],
    ['no name', 'name', domain({ head: `<uuid>${uuid}</uuid>` })],
    ['a bad id', '@id', domain({ attributes: "type='kvm' id='seven'" })],
    ['a negative maxMemory', 'maxMemory', domain().replace('8388608', '-8388608')],
    ['a unit that is none', 'maxMemory', domain().replace("unit='KiB'>8388608", "unit='KiBi'>8388608")],
    ['more than 2^53 bytes', 'memory', domain({ cpu: '', memory: "<memory unit='EiB'>1</memory>" })],
    ['too many slots', 'maxMemory/@slots', domain().replace("slots='16'", "slots='257'")],
    ['a cell without memory', 'cpu/numa/cell[0]/@memory', cell("id='0'")],
    ['a cell of text', 'cpu/numa/cell[0]/@memory', cell("id='0' memory='lots'")],
    ['a cell with a bad id', 'cpu/numa/cell[0]/@id', cell("id='-1' memory='1'")],
    ['a cell twice', 'cpu/numa/cell', cell("id='0' memory='1'/><cell id='0' memory='1'")],
    ['a flat domain without memory', 'memory', domain({ cpu: '', memory: '' })],
    ['devices above memory', 'memory', domain({ cpu: '', devices: dimm({ size: "<size unit='TiB'>1</size>" }) })],
    ['no model', 'devices/memory[0]/@model', domain({ devices: dimm({ model: '' }) })],
    ['no target', 'devices/memory[1]/target', domain({ devices: `${dimm()}<memory model='dimm'/>` })],
    ['no size', 'devices/memory[0]/target/size', domain({ devices: dimm({ size: '' }) })],
    ['size 0', 'devices/memory[0]/target/size', domain({ devices: dimm({ size: '<size>0</size>' }) })],
    ['a fraction', 'devices/memory[0]/target/size', domain({ devices: dimm({ size: '<size>1.5</size>' }) })],
    ['an exponent', 'devices/memory[0]/target/size', domain({ devices: dimm({ size: '<size>1e5</size>' }) })],
    ['a bad node', 'devices/memory[0]/target/node', domain({ devices: dimm({ node: '<node>a</node>' }) })],
    [
      'a bad slot',
      'devices/memory[0]/address/@slot',
      domain({ devices: dimm({ address: "<address type='dimm' slot='256'/>" }) }),
    ],
    [
      'a bad base',
      'devices/memory[0]/address/@base',
      domain({ devices: dimm({ address: "<address type='dimm' slot='1' base='0xzz'/>" }) }),
    ],
    ['a slot twice', 'devices/memory', domain({ devices: dimm() + dimm() })],
    [
      'a bad page size',
      'devices/memory[0]/source/pagesize',
      domain({ devices: dimm({ extra: '<source><pagesize>two</pagesize></source>' }) }),
    ],
    [
      'a bad node mask',
      'devices/memory[0]/source/nodemask',
      domain({ devices: dimm({ extra: '<source><nodemask>3-1</nodemask></source>' }) }),
    ],
    [
      'a bad statistics period',
      'devices/memballoon/stats/@period',
      domain({ devices: "<memballoon model='virtio'><stats period='-1'/></memballoon>" }),
    ],
  ];
  test.each(cases)('%s: %s', (_name, path, xml) => {
    expect(readDomainMemory(xml)).toEqual({ ok: false, error: { path, problem: expect.any(String) as string } });
  });
});
