/** Every policy at least once on a real guest. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { installPlugin } from '../support/kubectl-dimmer.ts';

await describeLab('policies', () => {
  let stack: Stack;
  const totals = new Map<string, number>();
  beforeAll(async () => {
    const lab = await startLab({
      controlPlane: 'shared',
      guests: [
        { kind: 'accepting', name: 'divisible' },
        { kind: 'accepting', name: 'nearest' },
        { kind: 'accepting', name: 'replace' },
        { kind: 'mixed', name: 'stubborn' },
      ],
    });
    stack = await startStack(lab);
    for (const guest of lab.guests) totals.set(guest.name, await guest.memTotalKiB());
  });
  afterAll(() => stack.stop());

  const guestNamed = (name: string): LabGuest => {
    const found = stack.lab.guests.find((guest) => guest.name === name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  };
  const apply = async (guest: LabGuest, spec: Readonly<Record<string, unknown>>) => {
    const applied = await stack.apply(stack.manifest(guest.name, guest.uuid, spec));
    expect(applied.code, applied.stderr).toBe(0);
  };
  /** Waits until the guest itself has so many MiB more than at boot. */
  const guestHas = (guest: LabGuest, mib: number) =>
    waitFor(async () => (await guest.memTotalKiB()) === (totals.get(guest.name) ?? 0) + mib * 1024, {
      what: `${guest.name} to have ${mib} MiB more than at boot`,
      timeoutMs: 20_000,
    });

  it('Divisible (the default) leaves every multiple of the block reachable', async () => {
    const guest = guestNamed('divisible');
    await apply(guest, { memory: '1536Mi' });
    const grown = await stack.reaches('divisible', 'Converged');
    expect(grown.status?.modules?.length).toBeGreaterThan(2);
    expect(grown.status?.reachable).toMatchObject({ ranges: [{ from: '512Mi', to: '1536Mi', step: '128Mi' }] });
    await guestHas(guest, 1024);
    await apply(guest, { memory: '1152Mi' });
    await stack.reaches('divisible', 'Converged');
    await guestHas(guest, 640);
  });

  it('a person with kubectl dimmer gets more, less by the very set that the plan shows, and no other size than asked for', async () => {
    const guest = guestNamed('divisible');
    const name = `${namespace}/divisible`;
    const { dimmer } = installPlugin(stack.lab.controlPlane);
    const type = async (exit: number, ...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await dimmer(...words);
      expect([words, code, stderr, stdout]).toEqual([words, exit, '', stdout]);
      return stdout;
    };

    const grown = await type(0, 'resize', name, '1536Mi', '--yes', '--wait');
    expect(grown).toMatch(/ {2}1536Mi, Converged: the guest has 1536Mi, as\s+wanted\n$/);
    await guestHas(guest, 1024);

    const before = await guest.moduleAliases();
    const plan = JSON.parse(await type(0, 'plan', name, '--memory=1Gi', '-o=json')) as {
      readonly steps: readonly { readonly alias: string }[];
    };
    const leave = plan.steps.map(({ alias }) => alias);
    expect(leave.length).toBeGreaterThan(0);
    await type(0, 'resize', name, '1Gi', '--yes', '--wait');
    expect(await guest.moduleAliases()).toEqual(before.filter((alias) => !leave.includes(alias)));
    await guestHas(guest, 512);

    const { generation } = (await stack.read('divisible')).metadata;
    const refused = await type(2, 'resize', name, '1100Mi', '--yes', '--wait');
    expect(refused).toMatch(/Nothing is changed: 1100Mi can't be had; the nearest sizes are 1Gi and\s+1152Mi\.\n$/);
    expect((await stack.read('divisible')).metadata.generation).toBe(generation);

    const status = await type(0, 'status', name);
    expect(status).toMatch(/^tenants\/divisible: VM divisible on hv-1, Running\n/);
    expect(status).toMatch(/^ {2}current +1Gi: boot 512Mi, plugged 512Mi, of at most 8Gi$/m);
    expect(status).toMatch(/^ {2}guest +reports \d+Mi; \d+Mi of it were usable \d+s ago$/m);
    const why = await type(0, 'why', name);
    expect(why.replaceAll(/\s+/g, ' ')).toContain('wants 1Gi and has 1Gi. Nothing stands in between (Converged, for ');
    await waitFor(async () => /Converged +resized from 1536Mi to 1Gi$/m.test(await type(0, 'events', name)), {
      ...{ what: 'the event', timeoutMs: 20_000, intervalMs: 250 },
      details: () => type(0, 'events', name),
    });
    expect(await type(0, 'hosts')).toMatch(/^hv-1 +True +\S+Gi +\S+ +\S+ +256Mi +4 +0$/m);

    // As Flux marks what it applies.
    const { kubectlOk } = stack.lab.controlPlane;
    const label = (text: string) => kubectlOk(['label', 'vmmem', 'divisible', `--namespace=${namespace}`, text]);
    await label('kustomize.toolkit.fluxcd.io/name=tenants');
    const owned = await dimmer('resize', name, '1152Mi', '--yes', '--wait');
    expect([owned.code, owned.stderr]).toEqual([1, expect.stringContaining('--force-conflicts')]);
    expect(owned.stdout).toContain('WARNING  Flux manages it (kustomize.toolkit.fluxcd.io/name: tenants)');
    expect((await stack.read('divisible')).metadata.generation).toBe(generation);
    await type(0, 'resize', name, '1152Mi', '--yes', '--wait', '--force-conflicts');
    await guestHas(guest, 640);
  });

  it('Nearest takes what comes nearest, and names the difference', async () => {
    const guest = guestNamed('nearest');
    const policies = { growPolicy: 'Whole', shrinkPolicy: 'Nearest' };
    await apply(guest, { memory: '896Mi', ...policies });
    await stack.reaches('nearest', 'Converged');
    await apply(guest, { memory: '1024Mi', ...policies });
    await stack.reaches('nearest', 'Converged');
    // Plugged are 384Mi and 128Mi: 256Mi less can't be made, 128Mi less can.
    await apply(guest, { memory: '768Mi', ...policies });
    const object = await stack.reaches('nearest', 'ConvergedNearest');
    const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'True' });
    expect(ready?.message).toContain('128Mi above');
    expect(object.status?.memory).toMatchObject({ current: '896Mi', target: '768Mi' });
    await guestHas(guest, 384);
  });

  it('Replace plugs one module so that another can go', async () => {
    const guest = guestNamed('replace');
    const policies = { growPolicy: 'Whole', shrinkPolicy: 'Replace' };
    await apply(guest, { memory: '1Gi', ...policies });
    await stack.reaches('replace', 'Converged');
    await apply(guest, { memory: '768Mi', ...policies });
    const object = await stack.reaches('replace', 'Converged');
    expect(object.status?.modules?.map(({ size, slot }) => ({ size, slot }))).toEqual([{ size: '256Mi', slot: 1 }]);
    await guestHas(guest, 256);
  });

  it('Replace takes its module out again when the guest refuses, and tries no more', async () => {
    const guest = guestNamed('stubborn');
    const policies = { growPolicy: 'Whole', shrinkPolicy: 'Replace' };
    await guest.onlineAs('kernel');
    await apply(guest, { memory: '1Gi', ...policies });
    await stack.reaches('stubborn', 'Converged');
    await guest.onlineAs('movable');
    await apply(guest, { memory: '768Mi', ...policies });
    const object = await stack.reaches('stubborn', 'ReplaceRolledBack');
    const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False' });
    expect(ready?.message).toContain('ua-dimmer-0');
    expect(ready?.message).toContain('taken out again');
    expect(object.status?.modules?.map(({ size, slot }) => ({ size, slot }))).toEqual([{ size: '512Mi', slot: 0 }]);
    await guestHas(guest, 512);
    // A restarted controller keeps to it.
    await stack.controller.stop('SIGKILL');
    await stack.controller.start();
    const later = await stack.reaches('stubborn', 'ReplaceRolledBack');
    expect(later.status?.modules).toEqual(object.status?.modules);
  });
});
