import { describe, expect, it } from 'vitest';
import {
  chooseBase,
  explainMisplaced,
  isTakenAt,
  type PlacedDevice,
  type Region,
  regionKey,
} from '../../../../src/host/rules/addresses.ts';
import { bytes, type Bytes, gib, mib } from '../../../../src/memory/bytes.ts';

const start = gib(4);
const at = (offsetMib: number): Bytes => bytes(start + mib(offsetMib));
const device = (name: string, offsetMib: number | null, sizeMib: number): PlacedDevice => ({
  name,
  base: offsetMib === null ? null : at(offsetMib),
  size: mib(sizeMib),
});
const region = (devices: readonly PlacedDevice[], more: Partial<Region> = {}): Region => ({
  ...{ architecture: 'x86_64', bootMemory: gib(2), devices },
  ...more,
});

describe('the address of a module', () => {
  it.each([
    ['nothing is there', []],
    ['all is aligned', [device('a', 0, 128), device('b', 1024, 512)]],
    ['a place is not known', [device('nvdimm', 0, 50), device('virtio-mem', null, 1024)]],
  ])("is QEMU's choice where %s", (_what, devices) => {
    expect(chooseBase(region(devices))).toBeNull();
  });

  it.each([
    ['an NVDIMM of odd size', [device('nvdimm', 0, 50)], 128],
    ['a module of odd size before others', [device('a', 0, 100), device('b', 128, 512)], 640],
    ['a module at an odd address', [device('nvdimm', 0, 50), device('shifted', 50, 512)], 640],
    ['what has shifted a module and has gone', [device('shifted', 50, 512)], 640],
  ])('is past the last device, at a multiple of the block, where there is %s', (_what, devices, expected) => {
    expect(chooseBase(region(devices))).toBe(at(expected));
  });

  it('goes by the blocks of a large guest', () => {
    const devices = [device('a', 0, 128)];
    expect(chooseBase(region(devices, { bootMemory: gib(64) }))).toBe(at(2048));
    expect(chooseBase(region(devices, { bootMemory: gib(32) }))).toBeNull();
  });

  it('is certainly refused only where no guest of the architecture takes memory', () => {
    expect([isTakenAt(at(128), 'x86_64'), isTakenAt(at(50), 'x86_64')]).toEqual([true, false]);
    expect([isTakenAt(at(128), 'aarch64'), isTakenAt(at(128), 'ppc64le')]).toEqual([true, false]);
    expect(isTakenAt(at(50), 's390x')).toBe(true);
  });

  it('names what is in the way', () => {
    const shown = region([device('nvdimm', 0, 50), device('ua-dimmer-0', 128, 128)]);
    expect(explainMisplaced(shown, at(50))).toContain(
      'multiples of 128Mi only, and a module would lie at 0x103200000, which is none: in the way is nvdimm (50Mi at 0x100000000).',
    );
    expect(explainMisplaced(region([device('virtio-mem', null, 1024)]), at(50))).toContain(
      'in the way is virtio-mem (1Gi at no known place)',
    );
    expect(explainMisplaced(region([]), at(50))).toContain("a device that libvirt doesn't show");
  });

  it('is judged anew when a device comes, goes or moves', () => {
    const keys = [[], [device('a', 0, 50)], [device('a', 0, 128)], [device('a', null, 50)], [device('a', 50, 50)]];
    expect(new Set(keys.map((devices) => regionKey(region(devices)))).size).toBe(keys.length);
    const [a, b] = [device('a', 0, 50), device('b', 128, 128)];
    expect(regionKey(region([a, b]))).toBe(regionKey(region([b, a])));
  });
});
