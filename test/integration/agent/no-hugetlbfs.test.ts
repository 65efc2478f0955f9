/** A host that has huge pages, and a libvirt that has no file system to take them from. */
import { expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf } from '../../contract/bench.ts';
import { describeAgent } from './agent-bench.ts';

await describeAgent(
  'what libvirt refuses for want of a file system',
  { uncleared: true, hypervisor: { hugePages: 96, qemuConf: ['hugetlbfs_mount = []'] } },
  (bench) => {
    test('huge pages without a file system for them: failed in the words of libvirt, and nothing has changed', async () => {
      await bench.reports();
      const before = await bench.observe();
      const answer = await bench.plug(0, { pageSize: mib(2) });
      expect(codeOf(answer)).toBe('hypervisor-failed');
      expect(answer.ok ? '' : answer.error.message).toContain('hugetlbfs filesystem is not mounted');
      const { layout, revision } = await bench.observe();
      expect({ layout, revision }).toEqual({ layout: before.layout, revision: before.revision });
      expect(await bench.guest.moduleAliases()).toEqual([]);
    });
  },
);
