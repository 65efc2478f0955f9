import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DimmerCluster, eventually, memory, namespace, startDimmerCluster } from './support/dimmer-cluster.ts';

let cluster: DimmerCluster;
let count = 0;
let name = '';

/** Boot 1 GiB; modules of 384, 256 and 256 MiB, as one range of single steps each and one real range. */
const ranges = [
  { from: '1Gi', to: '1Gi', step: '128Mi' },
  { from: '1280Mi', to: '1408Mi', step: '128Mi' },
  { from: '1536Mi', to: '1664Mi', step: '128Mi' },
  { from: '1920Mi', to: '1920Mi', step: '128Mi' },
];
const status = {
  observedGeneration: 1,
  memory: { boot: '1Gi', plugged: '896Mi', current: '1920Mi' },
  reachable: { ranges, complete: true },
};

beforeAll(async () => {
  cluster = await startDimmerCluster();
  await cluster.apply(namespace('t'), namespace('gitops', { 'dimmer.dev/unreachable-size': 'warn' }));
  // A fault in an expression must not hide behind failurePolicy Ignore: here it blocks, and the tests see it.
  const strict = { spec: { failurePolicy: 'Fail' } };
  const policy = ['validatingadmissionpolicy', 'dimmer-reachable-size'] as const;
  expect((await cluster.get(...policy))['spec']).toMatchObject({ failurePolicy: 'Ignore' });
  await cluster.kubectlOk(['patch', ...policy, '--type=merge', '-p', JSON.stringify(strict)]);
  // The API server compiles policies in the background.
  await cluster.apply(memory('probe', 't', { memory: '1920Mi' }), memory('probe', 'gitops', { memory: '1920Mi' }));
  for (const ns of ['t', 'gitops']) {
    await cluster.putStatus('vmmem', 'probe', status, ns);
    await eventually('the policy to be in force', async () => {
      const { output } = await cluster.tryApply(memory('probe', ns, { memory: '1152Mi' }), '--dry-run=server');
      return output.includes('no set of the plugged modules');
    });
  }
});
afterAll(() => cluster.stop());

beforeEach(() => {
  count += 1;
  name = `vm-${count}`;
});

type Change = {
  readonly from?: string | number;
  readonly to: string | number | undefined;
  readonly status?: object;
  readonly spec?: object;
  readonly namespace?: string;
};

/** Creates an object with a status, then changes its memory; what the API server says to that. */
async function change({ from = '1920Mi', to, spec = {}, namespace = 't', ...given }: Change) {
  await cluster.apply(memory(name, namespace, { memory: from }));
  if (given.status === undefined || Object.keys(given.status).length > 0) {
    await cluster.putStatus('vmmem', name, given.status ?? status, namespace);
  }
  return cluster.tryApply(memory(name, namespace, to === undefined ? spec : { memory: to, ...spec }));
}

describe('a decrease to a size that cannot be reached', () => {
  it.each([
    ['1152Mi', 'no set of the plugged modules makes 1152Mi; nearest sizes that can be reached: 1Gi and 1280Mi'],
    ['1472Mi', 'makes 1472Mi; nearest sizes that can be reached: 1408Mi and 1536Mi'],
    ['1300Mi', 'makes 1300Mi; nearest sizes that can be reached: 1280Mi and 1408Mi'],
    ['1.75Gi', 'makes 1.75Gi; nearest sizes that can be reached: 1664Mi and 1920Mi'],
    ['1879048192', 'makes 1879048192; nearest sizes that can be reached: 1664Mi and 1920Mi'],
    ['512Mi', 'makes 512Mi; nearest sizes that can be reached: none below and 1Gi'],
  ])('%s is refused with the nearest sizes', async (to, words) => {
    const { code, output } = await change({ to });
    expect(output).toContain(words);
    expect(output).toContain(
      "ValidatingAdmissionPolicy 'dimmer-reachable-size' with binding 'dimmer-reachable-size-deny' denied request",
    );
    expect(code).toBe(1);
    const stored = await cluster.get('vmmem', name, '-n', 't');
    expect(stored['spec']).toMatchObject({ memory: '1920Mi' });
  });

  it('is let through with a warning in a namespace labelled for it', async () => {
    const { code, output } = await change({ to: '1152Mi', namespace: 'gitops' });
    expect(output).toContain('Warning: Validation failed for ValidatingAdmissionPolicy');
    expect(output).toContain('nearest sizes that can be reached: 1Gi and 1280Mi');
    expect(code).toBe(0);
    expect((await cluster.get('vmmem', name, '-n', 'gitops'))['spec']).toMatchObject({ memory: '1152Mi' });
  });

  it('is refused to an autoscaler that patches, too', async () => {
    await cluster.apply(memory(name, 't', { memory: '1920Mi' }));
    await cluster.putStatus('vmmem', name, status, 't');
    const patch = JSON.stringify({ spec: { memory: '1152Mi' } });
    const { stderr } = await cluster.kubectl(['patch', 'vmmem', name, '-n', 't', '--type=merge', '-p', patch]);
    expect(stderr).toContain('nearest sizes that can be reached: 1Gi and 1280Mi');
  });

  it('is judged for sizes of many terabytes without overflow', async () => {
    const big = [{ from: '1Ti', to: '64Ti', step: '512Gi' }];
    const { output } = await change({
      from: '64Ti',
      to: '40000Gi',
      status: { ...status, memory: { current: '64Ti' }, reachable: { ranges: big, complete: true } },
    });
    expect(output).toContain('makes 40000Gi; nearest sizes that can be reached: 39936Gi and 40448Gi');
  });
});

describe('let through without a word', () => {
  const passes = async (given: Change): Promise<void> => {
    const { code, output } = await change(given);
    expect(output).toMatch(/ configured\n$/);
    expect(output).not.toContain('Warning');
    expect(code).toBe(0);
  };

  it.each(['1Gi', '1280Mi', '1408Mi', '1536Mi', '1664Mi', '1.375Gi', 1342177280])(
    'a decrease to %s, which a set of modules makes',
    (to) => passes({ to }),
  );
  it.each(['1921Mi', '3Gi', '64Ti'])('an increase to %s', (to) => passes({ to }));
  it('an increase that is still below the current size', () => passes({ from: '1Gi', to: '1152Mi' }));
  it('a decrease that is still above the current size', () => passes({ from: '8Gi', to: '4000Mi' }));
  it('a change of something else at an unreachable size', () =>
    passes({ from: '1152Mi', to: '1152Mi', spec: { paused: true } }));
  it('the removal of memory', () => passes({ to: undefined }));
  it('another way to write the same size', () => passes({ from: '1152Mi', to: '1207959552' }));

  const unreachable = '1152Mi';
  it('a decrease that is rounded up', () => passes({ to: unreachable, spec: { rounding: 'Up' } }));
  it('no status at all', () => passes({ to: unreachable, status: {} }));
  it('a status of an older generation', () =>
    passes({ to: unreachable, status: { ...status, observedGeneration: 0 } }));
  it.each<[string, object]>([
    ['without observedGeneration', { memory: status.memory, reachable: status.reachable }],
    ['without memory', { observedGeneration: 1, reachable: status.reachable }],
    ['without current', { ...status, memory: { boot: '1Gi' } }],
    ['without reachable', { observedGeneration: 1, memory: status.memory }],
    ['without complete', { ...status, reachable: { ranges } }],
    ['that is not complete', { ...status, reachable: { ranges, complete: false } }],
    ['without ranges', { ...status, reachable: { complete: true } }],
    ['with no range', { ...status, reachable: { complete: true, ranges: [] } }],
    [
      'with a size beyond 2^63',
      { ...status, reachable: { complete: true, ranges: [{ from: '1Gi', to: '9999999999999999Ti', step: '1Mi' }] } },
    ],
  ])('a status %s', (_, incomplete) => passes({ to: unreachable, status: incomplete }));

  it('an old status after two changes of the spec', async () => {
    await cluster.apply(memory(name, 't', { memory: '1920Mi' }));
    await cluster.putStatus('vmmem', name, status, 't');
    await cluster.apply(memory(name, 't', { memory: '1664Mi' }));
    const { code } = await cluster.tryApply(memory(name, 't', { memory: unreachable }));
    expect(code).toBe(0);
  });

  it('any status that the controller writes', async () => {
    await cluster.apply(memory(name, 't', { memory: unreachable }));
    await cluster.putStatus('vmmem', name, status, 't');
    await cluster.putStatus('vmmem', name, { ...status, granularity: '128Mi' }, 't');
  });
});

describe('the schema of status', () => {
  it.each([
    ['a range without a step', { reachable: { ranges: [{ from: '1Gi', to: '2Gi' }] } }, 'step: Required value'],
    ['a step of nothing', { reachable: { ranges: [{ from: '1Gi', to: '2Gi', step: '0' }] } }, 'step'],
    ['a size that is none', { memory: { current: 'much' } }, 'status.memory.current'],
    ['too many ranges', { reachable: { ranges: Array(17).fill(ranges[0]) } }, 'must have at most 16 items'],
  ])('refuses %s', async (_, wrong, words) => {
    await cluster.apply(memory(name, 't', { memory: '1920Mi' }));
    await expect(cluster.putStatus('vmmem', name, wrong, 't')).rejects.toThrow(words);
  });
});
