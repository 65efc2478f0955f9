/** The units, judged by systemd itself without being started: how much they leave open. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { check, STRANGERS } from './checkers.ts';

const root = join(import.meta.dirname, '../..');

await describeLab(
  'systemd-analyze security',
  () => {
    test.each(['deploy/agent/dimmer-agent.service', 'deploy/standalone/dimmer-standalone.service'])(
      '%s is exposed at most 1.8 of 10',
      async (unit) => {
        const args = ['security', '--offline=true', '--threshold=18', '--no-pager', join(root, unit)];
        const { stdout, code } = await check(['systemd-analyze'], args);
        expect(stdout).toContain('Overall exposure level for');
        expect([code, /exposure level for \S+ ([\d.]+)/.exec(stdout)?.[1]]).toEqual([0, expect.any(String)]);
      },
    );
  },
  STRANGERS,
);
