import { describe, expect, it, test } from 'vitest';
import { type Bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { isOurs, type MemoryDevice, slotsOfDevices, sumOfDevices } from '../../../src/memory/memory-devices.ts';

const device = (model: string, slot: number | null = null, given: Bytes = gib(4)): MemoryDevice => ({
  ...{ model, slot, size: gib(4), given, requested: given },
});

describe('what a device of 4 GiB counts for', () => {
  test.each([
    ['dimm', 4, 4, 4],
    ['nvdimm', 0, 0, 4],
    ['virtio-pmem', 0, 0, 4],
    ['sgx-epc', 0, 0, 4],
    ['pc-dimm', 4, 4, 4],
    // Room is kept for what nobody knows yet; it isn't taken for the guest's.
    ['cxl-mem', 0, 4, 4],
  ])('%s: %i GiB of the total, %i promised, %i of the maximum', (model, total, promised, maximum) => {
    const devices = [device(model)];
    expect(sumOfDevices(devices, 'total')).toBe(gib(total));
    expect(sumOfDevices(devices, 'promised')).toBe(gib(promised));
    expect(sumOfDevices(devices, 'maximum')).toBe(gib(maximum));
  });

  it('virtio-mem: what it gives now; what it may give at any moment is promised; all of it against the maximum', () => {
    const half = { ...device('virtio-mem', null, gib(1)), requested: gib(2) };
    expect(sumOfDevices([half], 'total')).toBe(gib(1));
    expect(sumOfDevices([half], 'promised')).toBe(gib(2));
    expect(sumOfDevices([half], 'maximum')).toBe(gib(4));
    // It gives back slowly: until then the host has to provide it.
    expect(sumOfDevices([{ ...half, requested: mib(0) }], 'promised')).toBe(gib(1));
  });
});

it('only DIMMs that libvirt knows are ever taken', () => {
  const models = ['dimm', 'nvdimm', 'virtio-mem', 'virtio-pmem', 'sgx-epc', 'pc-dimm', 'cxl-mem', 'constructor'];
  expect(models.filter(isOurs)).toEqual(['dimm']);
});

it('slots are held by number, or taken without one', () => {
  const devices = [device('nvdimm', 3), device('virtio-mem'), device('virtio-pmem'), device('pc-dimm', 0)];
  expect(slotsOfDevices(devices)).toEqual({ numbered: [3, 0], unnumbered: 2 });
});
