/** What docs/user-guide.md says of sizes is what the planner makes of them, and its domain takes modules. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from '../../support/built-program.ts';
import { documented } from '../../support/documents.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/user-guide.md'), 'utf8');
const plan = async (memory: string, ...more: readonly string[]) => {
  const args = ['plan', '--boot=1Gi', '--modules=384Mi,256Mi,256Mi', `--memory=${memory}`, ...more, '-o', 'json'];
  const { stdout } = await runProgram(args);
  return JSON.parse(stdout) as { reason: string; resultMemory: string; steps: { operation: string; size: string }[] };
};
const stepsOf = ({ steps }: Awaited<ReturnType<typeof plan>>) =>
  steps.map(({ operation, size }) => `${operation} ${size}`);

test.each([
  ['1408Mi', ['unplug 256Mi', 'unplug 256Mi'], /^\| 1408Mi +\| 256Mi and 256Mi +\|/m],
  ['1280Mi', ['unplug 384Mi', 'unplug 256Mi'], /^\| 1280Mi +\| 384Mi and a 256Mi +\|/m],
])('%s: what leaves', async (memory, steps, row) => {
  expect(text).toMatch(row);
  expect(stepsOf(await plan(memory)).toSorted()).toEqual([...steps].toSorted());
});

test('1152Mi: no set makes it, and what the other policies make of it', async () => {
  expect(text).toMatch(/^\| 1152Mi +\| no set makes it +\| `Nearest` ends at 1280Mi; `Replace` plugs 128Mi first/m);
  expect(await plan('1152Mi')).toMatchObject({ reason: 'UnreachableSize', steps: [] });
  expect(await plan('1152Mi', '--shrink=Nearest')).toMatchObject({ resultMemory: '1280Mi' });
  expect(stepsOf(await plan('1152Mi', '--shrink=Replace'))[0]).toBe('plug 128Mi');
});

test('896Mi is below boot memory; 1100Mi is misaligned, and rounded up 1152Mi', async () => {
  expect(text).toMatch(/^\| 896Mi +\| boot memory is more/m);
  expect(await plan('896Mi')).toMatchObject({ reason: 'BelowBootMemory' });
  expect(text).toContain('`rounding: Up` makes it 1152Mi');
  const grown = await runProgram(['plan', '--boot=1Gi', '--memory=1100Mi']);
  expect(grown.stdout).toContain('Misaligned');
  const rounded = await runProgram(['plan', '--boot=1Gi', '--memory=1100Mi', '--rounding=Up']);
  expect(rounded.stdout).toContain('to go from 1Gi to 1152Mi');
});

test('its domain takes modules', async () => {
  const { text: parts } = documented('docs/user-guide.md', '</maxMemory>');
  const rest =
    "<name>db</name><memory unit='GiB'>2</memory><vcpu>4</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>";
  const args = ['plan', '--domain-xml=-', '--memory=3Gi'];
  const domain = await runProgram(args, { stdin: `<domain type='kvm'>${rest}${parts}</domain>` });
  expect([domain.exit, domain.stdout]).toEqual([0, expect.stringMatching(/^Plug /)]);
  // And the parts are what it takes.
  const without = await runProgram(args, { stdin: `<domain type='kvm'>${rest}</domain>` });
  expect(without).toMatchObject({ exit: 2, stdout: expect.stringMatching(/HotplugUnsupported/) as string });
});
