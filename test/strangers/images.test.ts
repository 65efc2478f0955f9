/** What images are built from, read by hadolint. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { check, installed, STRANGERS } from './checkers.ts';

const root = join(import.meta.dirname, '../..');

await describeLab(
  'hadolint',
  () => {
    test.each(['Dockerfile', 'deploy/olm/bundle.Dockerfile'])('finds nothing in %s', async (file) => {
      expect(await check(installed().hadolint, [join(root, file)])).toMatchObject({ code: 0, stdout: '' });
    });

    test('finds fault with what is wrong', async () => {
      const { code, stdout } = await check(installed().hadolint, ['-'], { input: 'FROM debian\nRUN cd /tmp\n' });
      expect([code, stdout]).toEqual([1, expect.stringContaining('DL3006')]);
    });
  },
  STRANGERS,
);
