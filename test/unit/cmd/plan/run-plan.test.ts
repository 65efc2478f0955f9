/** `dimmer plan` as a person or a script calls it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runProgram } from '../../../support/built-program.ts';
import { dimmerPlan, run } from './support.ts';

describe('output', () => {
  const shrink = '--boot 1Gi --modules 384Mi,256Mi,256Mi --memory 1408Mi';

  test('text', async () => {
    expect(await dimmerPlan(shrink)).toEqual({
      exit: 0,
      stderr: '',
      stdout: `Unplug (Unplugging): unplug 2 x 256Mi (slots 1, 2) to go from 1920Mi to 1408Mi; memory in use is not
judged: there are no fresh statistics of the guest.

Memory
              now   after  wanted
  boot        1Gi     1Gi
  plugged   896Mi   384Mi
  total    1920Mi  1408Mi  1408Mi

Steps
  1.  unplug  256Mi  slot 2  ua-dimmer-2
  2.  unplug  256Mi  slot 1  ua-dimmer-1

Modules by slot
  now    0: 384Mi, 1: 256Mi, 2: 256Mi
  after  0: 384Mi

Reachable by unplugging
  1Gi
  1280Mi to 1536Mi in steps of 128Mi
  1664Mi, 1920Mi
Nearest to what is wanted
  1280Mi below, 1536Mi above
`,
    });
  });

  const json = {
    decision: 'unplug',
    steps: [
      { operation: 'unplug', size: '256Mi', node: 0, slot: 2, alias: 'ua-dimmer-2' },
      { operation: 'unplug', size: '256Mi', node: 0, slot: 1, alias: 'ua-dimmer-1' },
    ],
    resultMemory: '1408Mi',
    residual: '0',
    reason: 'Unplugging',
    message:
      'unplug 2 x 256Mi (slots 1, 2) to go from 1920Mi to 1408Mi; memory in use is not judged: there are no fresh statistics of the guest',
    reachable: {
      below: '1280Mi',
      above: '1536Mi',
      ranges: [
        { from: '1Gi', to: '1Gi', step: '128Mi' },
        { from: '1280Mi', to: '1536Mi', step: '128Mi' },
        { from: '1664Mi', to: '1920Mi', step: '256Mi' },
      ],
      complete: true,
    },
  };

  test.each([`-o json ${shrink}`, `${shrink} --output=json`, `${shrink} -o=json`, `${shrink} --output json`])(
    '%s',
    async (line) => {
      const { exit, stdout } = await dimmerPlan(line);
      expect(exit).toBe(0);
      expect(JSON.parse(stdout)).toEqual(json);
    },
  );

  test('yaml says the same', async () => {
    expect(parse((await dimmerPlan(`${shrink} -o yaml`)).stdout)).toEqual(json);
  });

  test('every key is there when nothing is done', async () => {
    const { exit, stdout } = await dimmerPlan('--boot 1Gi --modules 1Gi --memory 1536Mi -o json');
    expect(exit).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      decision: 'blocked',
      steps: [],
      resultMemory: '2Gi',
      residual: null,
      reason: 'UnreachableSize',
      message:
        "plugged modules 1Gi can't make 512Mi less; reachable: 1Gi, 2Gi; shrinkPolicy Replace reaches it by plugging 512Mi first",
      reachable: { below: '1Gi', above: '2Gi', ranges: [{ from: '1Gi', to: '2Gi', step: '1Gi' }], complete: true },
    });
  });

  test('--help', async () => {
    const { exit, stdout, stderr } = await dimmerPlan('--help');
    expect([exit, stderr]).toEqual([0, '']);
    expect(stdout).toContain('--domain-xml FILE');
  });
});

describe('defaults', () => {
  const plan = async (line: string) =>
    JSON.parse((await dimmerPlan(`${line} -o json`)).stdout) as Record<string, unknown>;

  test('Divisible growth, Exact shrinking', async () => {
    expect(await plan('--boot 1Gi --memory 2Gi')).toMatchObject({ decision: 'plug', steps: { length: 4 } });
    expect(await plan('--boot 1Gi --memory 2Gi --grow Whole')).toMatchObject({ steps: [{ size: '1Gi' }] });
    expect(await plan('--boot 1Gi --modules= --memory 1Gi')).toMatchObject({ decision: 'noop', residual: '0' });
    expect(await plan('--boot 1Gi --modules 1Gi --memory 1536Mi --shrink Nearest')).toMatchObject({
      reason: 'ConvergedNearest',
      residual: '512Mi',
    });
  });

  test('16 slots, or as many as there are modules', async () => {
    const modules = (count: number) => Array<string>(count).fill('128Mi').join(',');
    expect(await plan(`--boot 1Gi --modules ${modules(15)} --memory 4Gi`)).toMatchObject({ decision: 'plug' });
    expect(await plan(`--boot 1Gi --modules ${modules(17)} --memory 4Gi`)).toMatchObject({ reason: 'SlotsExhausted' });
    expect(await plan('--boot 1Gi --slots 0 --memory 4Gi')).toMatchObject({ reason: 'SlotsExhausted' });
  });

  test('the block size of a large guest', async () => {
    expect(await plan('--boot 60Gi --memory 61Gi')).toMatchObject({ reason: 'Misaligned' });
    expect(await plan('--boot 60Gi --memory 61Gi --granularity 128Mi')).toMatchObject({ decision: 'plug' });
    expect(await plan('--boot 59Gi --memory 60Gi')).toMatchObject({ decision: 'plug' });
  });

  test('limits', async () => {
    expect(await plan('--boot 1Gi --memory 3Gi --max-memory 2Gi')).toMatchObject({ reason: 'ExceedsMaxMemory' });
    expect(await plan('--boot 1Gi --memory 3Gi --host-free 0')).toMatchObject({ reason: 'InsufficientHostMemory' });
    expect(await plan('--boot 1Gi --memory 17Gi')).toMatchObject({ reason: 'BootMemoryTooSmall' });
    expect(await plan('--boot 1Gi --memory 0')).toMatchObject({ reason: 'BelowBootMemory' });
  });

  test('quantities as Kubernetes writes them', async () => {
    expect(await plan('--boot 1073741824 --memory 1.5Gi')).toMatchObject({ resultMemory: '1536Mi' });
    expect(await plan('--boot 1Gi --memory 1e9')).toMatchObject({ reason: 'BelowBootMemory' });
  });
});

describe('exit codes', () => {
  test.each([
    ['--boot 1Gi --memory 1Gi', 0],
    ['--boot 1Gi --memory 2Gi', 0],
    ['--boot 1Gi --modules 1Gi --memory 1Gi', 0],
    ['--boot 1Gi --modules 1Gi --memory 1536Mi --shrink Replace', 0],
    ['--boot 1Gi --memory 1Mi', 2],
  ])('%s: %i', async (line, exit) => {
    expect((await dimmerPlan(line)).exit).toBe(exit);
  });
});

describe('bad usage', () => {
  test.each([
    ['', '--memory'],
    ['--boot 1Gi', '--memory'],
    ['--memory 1Gi', '--boot'],
    ['--boot 0 --memory 1Gi', '--boot'],
    ['--boot 1Gi --memory x', '--memory'],
    ['--boot 1Gi --memory -1Gi', '--memory'],
    ['--boot 1Gi --memory=-1Gi', '--memory'],
    ['--boot 1Gi --memory 1.5', '--memory'],
    ['--boot 1Gi --memory 8Pi', '--memory'],
    ['--boot 1Gi --memory', '--memory'],
    ['--boot 1Gi --memory=', '--memory'],
    ['--boot 1Gi --memory 1Gi --modules 1Gi,', '--modules'],
    ['--boot 1Gi --memory 1Gi --modules 1Gi,0', '--modules'],
    ['--boot 5Pi --memory 1Gi --modules 5Pi', '--modules'],
    ['--boot 1Gi --memory 1Gi --slots 257', '--slots'],
    ['--boot 1Gi --memory 1Gi --slots 1.5', '--slots'],
    ['--boot 1Gi --memory 1Gi --slots 1 --modules 1Gi,1Gi', '--slots'],
    ['--boot 1Gi --memory 1Gi --modules 1Gi --max-memory 1536Mi', '--max-memory'],
    ['--boot 1Gi --memory 1Gi --max-memory 0', '--max-memory'],
    ['--boot 1Gi --memory 1Gi --granularity 0', '--granularity'],
    ['--boot 1Gi --memory 1Gi --shrink Greedy', '--shrink'],
    ['--boot 1Gi --memory 1Gi --grow constructor', '--grow'],
    ['--boot 1Gi --memory 1Gi --host-free nope', '--host-free'],
    ['--boot 1Gi --memory 1Gi -o xml', '--output'],
    ['--boot 1Gi --memory 1Gi --frobnicate', '--frobnicate'],
    ['--boot 1Gi --memory 1Gi stray', 'stray'],
    ['--batch --boot 1Gi', '--boot'],
    ['--domain-xml a.xml --memory 1Gi --boot 1Gi', '--boot'],
    ['--domain-xml a.xml --memory 1Gi --slots 3', '--slots'],
    ['--domain-xml= --memory 1Gi', '--domain-xml'],
    ['--domain-xml does-not-exist.xml --memory 1Gi', '--domain-xml'],
  ])("'%s' names %s", async (line, name) => {
    const { exit, stdout, stderr } = await run(line === '' ? [] : line.split(' '));
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^dimmer plan: [^\n]+\n$/);
    expect(stderr).toContain(name);
  });
});

describe('--domain-xml', () => {
  const domain = (memory: string, devices = '', max = '<maxMemory slots="4" unit="GiB">8</maxMemory>') => `
    <domain type='qemu' id='3'>
      <name>vm</name><uuid>6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11</uuid>${max}
      <memory unit='MiB'>${memory}</memory>
      <os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
      <cpu><numa><cell id='0' memory='1048576' unit='KiB'/></numa></cpu>
      <devices>${devices}</devices>
    </domain>`;
  const dimm = (size: number, slot: number, base: string) => `
    <memory model='dimm'><target><size unit='MiB'>${size}</size><node>0</node></target><alias name='ua-x${slot}'/>
      <address type='dimm' slot='${slot}' base='${base}'/></memory>`;
  const twoModules = dimm(256, 0, '0x100000000') + dimm(128, 2, '0x110000000');

  test('reads a running domain, here from stdin', async () => {
    const xml = domain('1408', twoModules);
    const { exit, stdout } = await dimmerPlan('--domain-xml - --memory 1152Mi -o json', xml);
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ steps: [{ operation: 'unplug', slot: 0, alias: 'ua-x0' }] });
  });

  test('grows into the lowest free slot', async () => {
    const { stdout } = await dimmerPlan('--domain-xml - --memory 1536Mi -o json', domain('1408', twoModules));
    expect(JSON.parse(stdout)).toMatchObject({ steps: [{ operation: 'plug', slot: 1, size: '128Mi' }] });
  });

  test('without maxMemory nothing can be plugged', async () => {
    const { exit, stdout } = await dimmerPlan('--domain-xml - --memory 2Gi -o json', domain('1024', '', ''));
    expect(exit).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      reason: 'HotplugUnsupported',
      message: expect.stringContaining('<maxMemory') as string,
    });
  });

  test('without a NUMA cell neither, and the message says what is missing', async () => {
    const xml = domain('1024').replace(/<cpu>.*<\/cpu>/, '');
    const { exit, stdout } = await dimmerPlan('--domain-xml - --memory 2Gi -o json', xml);
    expect(exit).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ message: expect.stringContaining('NUMA cell') as string });
  });

  test('what is no domain is bad usage', async () => {
    const { exit, stdout, stderr } = await dimmerPlan('--domain-xml - --memory 2Gi', '<network/>');
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^dimmer plan: --domain-xml: [^\n]+\n$/);
  });
});

test('the plain preview loads no package, and nothing of libvirt, Kubernetes or the agent', async () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../../../support/loaded-modules.ts')).href;
  const loadedBy = async (...more: readonly string[]) => {
    const argv = ['plan', '--boot=1Gi', '--memory=2Gi', ...more];
    const { stderr } = await runProgram(argv, { env: { NODE_OPTIONS: `--import=${preload}` } });
    return JSON.parse(stderr) as { readonly modules: readonly string[]; readonly packages: readonly string[] };
  };
  const { modules, packages } = await loadedBy();
  expect(packages).toEqual([]);
  expect(new Set(modules.map((path) => path.split('/')[0]))).toEqual(new Set(['cmd', 'memory', 'planner', 'preview']));
  expect((await loadedBy('-o', 'yaml')).packages).toEqual(['yaml']);
});
