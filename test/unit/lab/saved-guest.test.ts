/** What makes a kept guest another one. */
import { expect, test } from 'vitest';
import type { GuestHardware } from '../../lab/guest-xml.ts';
import { savedGuestFile } from '../../lab/saved-guest.ts';

const files = { xml: '/tmp/lab-1/a.xml', consoleLog: '/tmp/lab-1/a.log', shellSocket: '/tmp/lab-1/a.sock' };
const hardware: GuestHardware = {
  ...files,
  name: 'a',
  uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11',
  nodes: [{ mib: 512, vcpus: 1 }],
  slots: 16,
  maxMemoryMib: 8192,
  boot: { kernel: '/cache/vmlinuz', initramfs: '/cache/initramfs', kernelVersion: '6.1', kernelArgs: ['quiet'] },
  balloon: true,
  terminal: false,
  extraXml: '',
  extraDevicesXml: '<disk path="/tmp/lab-1/disk"/>',
};
const { name, uuid } = hardware;
const file = (changes: Partial<GuestHardware> = {}) =>
  savedGuestFile({ ...hardware, ...changes }, { ...files, name, uuid, directory: '/tmp/lab-1' });

test('a guest of the same hardware in another lab is restored from the same state', () => {
  const theirs = { xml: '/tmp/lab-2/b.xml', consoleLog: '/tmp/lab-2/b.log', shellSocket: '/tmp/lab-2/b.sock' };
  const other = { ...theirs, name: 'b', uuid: '00000000-0000-4000-8000-000000000001' };
  const extraDevicesXml = '<disk path="/tmp/lab-2/disk"/>';
  expect(savedGuestFile({ ...hardware, ...other, extraDevicesXml }, { ...other, directory: '/tmp/lab-2' })).toBe(
    file(),
  );
});

test.each<Partial<GuestHardware>>([
  { nodes: [{ mib: 512, vcpus: 2 }] },
  { slots: 17 },
  { maxMemoryMib: null },
  { balloon: false },
  { terminal: true },
  { extraXml: '<memoryBacking/>' },
  { extraDevicesXml: '' },
  { boot: { kernel: '/cache/vmlinuz', initramfs: '/cache/initramfs', kernelVersion: '6.2', kernelArgs: ['quiet'] } },
  { boot: { kernel: '/cache/vmlinuz', initramfs: '/cache/initramfs', kernelVersion: '6.1', kernelArgs: [] } },
])('one that differs in %j has a state of its own', (change) => {
  expect(file(change)).not.toBe(file());
});
