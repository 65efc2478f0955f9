/** Memory devices that only QEMU's command line has. */
import { expect, it, test } from 'vitest';
import { gib, mib, zeroBytes } from '../../../src/memory/bytes.ts';
import { readDomainDocument } from '../../../src/libvirt/xml/domain.ts';

function othersOf(args: readonly string[], devices = '') {
  const line = args.map((arg) => `<qemu:arg value='${arg}'/>`).join('');
  const result = readDomainDocument(
    `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>vm</name>
      <maxMemory slots='16' unit='GiB'>8</maxMemory><os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
      <cpu><numa><cell id='0' memory='2' unit='GiB'/></numa></cpu><devices>${devices}</devices>
      <qemu:commandline>${line}</qemu:commandline></domain>`,
  );
  if (!result.ok) throw new Error(`${result.error.path} ${result.error.problem}`);
  return result.value.others.map(({ model, slot, size, given }) => [model, slot, size, given]);
}
const backend = (size: string, id = 'm0'): string[] => ['-object', `memory-backend-ram,id=${id},size=${size}`];

test.each([
  ['with its slot', '-device', 'pc-dimm,id=d0,memdev=m0,slot=5', ['pc-dimm', 5, mib(512), mib(512)]],
  [
    'without a slot: the lowest that libvirt leaves',
    '-device',
    'pc-dimm,memdev=m0',
    ['pc-dimm', 1, mib(512), mib(512)],
  ],
  ['with its driver named', '-device', 'driver=nvdimm,memdev=m0', ['nvdimm', 1, mib(512), mib(512)]],
  ['as JSON', '-device', '{"driver":"pc-dimm","memdev":"m0","slot":3}', ['pc-dimm', 3, mib(512), mib(512)]],
  ['virtio-mem', '-device', 'virtio-mem-pci,memdev=m0,requested-size=128M', ['virtio-mem', null, mib(512), mib(128)]],
  ['virtio-mem that gives nothing', '--device', 'virtio-mem,memdev=m0', ['virtio-mem', null, mib(512), zeroBytes]],
])('a device %s', (_name, option, value, expected) => {
  const dimm = `<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target><address type='dimm' slot='0'/></memory>`;
  expect(othersOf([...backend('512M'), option, value], dimm)).toEqual([expected]);
});

test.each([
  ['1073741824', gib(1)],
  ['1G', gib(1)],
  ['1.5g', mib(1536)],
  ['1048576k', gib(1)],
])('a backend of %s', (size, expected) => {
  expect(othersOf([...backend(size), '-device', 'pc-dimm,memdev=m0'])).toEqual([['pc-dimm', 0, expected, expected]]);
});

it('passes over what is no memory device, or can not be understood', () => {
  for (const args of [
    ['-device', 'e1000,netdev=n0'],
    ['-device', 'pc-dimm,memdev=missing'],
    ['-device'],
    [...backend('lots'), '-device', 'pc-dimm,memdev=m0'],
    ['-object', '{"qom-type":', '-device', '{broken'],
    ['-fw_cfg', 'name=opt/a,string=pc-dimm'],
  ]) {
    expect([args, othersOf(args)]).toEqual([args, []]);
  }
});
