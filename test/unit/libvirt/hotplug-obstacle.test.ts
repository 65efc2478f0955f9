import { describe, expect, it, test } from 'vitest';
import { describeObstacle, type HotplugObstacle } from '../../../src/memory/hotplug-obstacle.ts';
import { readDomainDocument } from '../../../src/libvirt/xml/domain.ts';

type Shape = {
  type?: string;
  arch?: string;
  machine?: string;
  max?: string;
  cell?: string;
  acpi?: string;
  more?: string;
};

function judge(shape: Shape): { readonly obstacle: HotplugObstacle | null; readonly said: string } {
  const { type = 'kvm', arch = 'x86_64', machine = 'pc-q35-7.2', more = '' } = shape;
  const { max = "<maxMemory slots='4' unit='GiB'>8</maxMemory>", acpi = '<acpi/>' } = shape;
  const { cell = "<cell id='0' memory='2' unit='GiB'/>" } = shape;
  const result = readDomainDocument(
    `<domain type='${type}'><name>vm</name>${max}<memory unit='GiB'>2</memory>${more}
      <os><type arch='${arch}' machine='${machine}'>hvm</type></os><features>${acpi}</features>
      <cpu><numa>${cell}</numa></cpu></domain>`,
  );
  if (!result.ok) throw new Error(`${result.error.path} ${result.error.problem}`);
  const obstacle = result.value.hotplugObstacle;
  return { obstacle, said: obstacle === null ? '' : describeObstacle(obstacle, result.value) };
}

const power: Shape = { arch: 'ppc64le', machine: 'pseries-7.2', acpi: '' };

describe('where DIMMs can be plugged', () => {
  test.each<[string, Shape]>([
    ['q35', {}],
    ['i440fx', { machine: 'pc-i440fx-7.2' }],
    ['a 32-bit PC', { arch: 'i686', machine: 'pc' }],
    ['software emulation', { type: 'qemu' }],
    ['POWER with NUMA cells', power],
    ['POWER without', { ...power, cell: '' }],
    ['ARM', { arch: 'aarch64', machine: 'virt-7.2' }],
    ['LoongArch', { arch: 'loongarch64', machine: 'virt' }],
  ])('%s', (_name, shape) => {
    expect(judge(shape).obstacle).toBeNull();
  });
});

describe('where nothing helps, no advice is given', () => {
  test.each<[string, Shape, HotplugObstacle]>([
    ['Xen', { type: 'xen', machine: 'xenfv' }, 'NotQemu'],
    ['microvm', { machine: 'microvm' }, 'NoDimmsOnMachine'],
    ['isapc', { machine: 'isapc' }, 'NoDimmsOnMachine'],
    ['a Raspberry Pi', { arch: 'aarch64', machine: 'raspi3b' }, 'NoDimmsOnMachine'],
    ['32-bit ARM', { arch: 'armv7l', machine: 'virt' }, 'NoDimmsOnMachine'],
    ['RISC-V', { arch: 'riscv64', machine: 'virt' }, 'NoDimmsOnMachine'],
    ['s390x', { arch: 's390x', machine: 's390-ccw-virtio' }, 'NoDimmsOnMachine'],
    ['SEV', { more: "<launchSecurity type='sev'/>" }, 'Confidential'],
    ['TDX', { more: "<launchSecurity type='tdx'/>" }, 'Confidential'],
  ])('%s', (_name, shape, obstacle) => {
    // Whatever else is missing: it isn't worth adding.
    const judged = judge({ ...shape, max: '', cell: '', acpi: '' });
    expect(judged.obstacle).toBe(obstacle);
    expect(judged.said).not.toMatch(/add it|maxMemory|NUMA|acpi/);
  });
});

describe('what can be added is named, all of it at once', () => {
  it('on a PC', () => {
    expect(judge({ max: '' }).said).toBe(
      'The domain has no <maxMemory slots="...">; shut the VM down, add it and start the VM again',
    );
    expect(judge({ max: '', cell: '' }).said).toContain('<maxMemory slots="..."> and no NUMA cell under <cpu>;');
    expect(judge({ max: "<maxMemory unit='GiB'>8</maxMemory>" }).obstacle).toBe('NoSlots');
    expect(judge({ max: "<maxMemory slots='0' unit='GiB'>8</maxMemory>" }).said).toContain(
      'no slots in its <maxMemory>',
    );
    expect(judge({ cell: '' }).obstacle).toBe('NoNumaNodes');
    expect(judge({ acpi: '' }).obstacle).toBe('NoAcpi');
  });

  it('on POWER neither NUMA cells nor ACPI are asked for', () => {
    expect(judge({ ...power, max: '', cell: '' }).said).not.toMatch(/NUMA|acpi/);
  });
});
