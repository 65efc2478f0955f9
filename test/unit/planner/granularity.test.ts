import { expect, test } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { defaultGranularity } from '../../../src/memory/granularity.ts';

test.each([
  ['x86_64', gib(1), mib(128)],
  ['x86_64', (gib(60) - 1) as never, mib(128)],
  ['x86_64', gib(60), gib(2)],
  ['ppc64', gib(100), mib(256)],
  ['ppc64le', gib(1), mib(256)],
  ['aarch64', gib(1), mib(512)],
  ['somethingnew', gib(1), gib(2)],
])('%s with %i bytes of boot memory', (arch, boot, expected) => {
  expect(defaultGranularity(arch, boot)).toBe(expected);
});
