/** `kubectl dimmer`: the built program as kubectl finds and runs it, on a real API server with a controller at work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { ClusterBackend } from '../../../src/operator/cluster-backend.ts';
import { type Bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';
import { openTerminal, type Terminal } from '../../lab/terminal.ts';
import { findStrangers } from '../../lab/strangers.ts';
import { STRANGERS } from '../../strangers/checkers.ts';
import { runProgram } from '../../support/built-program.ts';
import { commandsOf, documented } from '../../support/documents.ts';
import { installPlugin, type KubectlDimmer } from '../../support/kubectl-dimmer.ts';
import {
  deployDirectory,
  type DimmerCluster,
  eventually,
  memory,
  namespace,
  startClusterWithOne,
  uuid,
} from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
let controller: LiveController;
let installed: KubectlDimmer;
let env: Record<string, string>;
const another = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a12';
const before = { ...process.env };
// Found by the home that isn't ours any more once the tests run.
const strangers = findStrangers();

beforeAll(async () => {
  plane = await startClusterWithOne();
  controller = await startLiveController(plane, {
    domains: {
      hv: [
        { uuid, name: 'db-vm', boot: gib(1), slots: 8, maxMemory: gib(8) },
        { uuid: another, name: 'web-vm', boot: gib(1), slots: 8, maxMemory: gib(8) },
      ],
    },
  });
  installed = installPlugin(plane);
  env = installed.env;
  // For what is tested without the program around it.
  Object.assign(process.env, env);
  const read = async () => (await plane.get('vmmem', 'db', '-n', 't')) as unknown as VirtualMachineMemory;
  await eventually(
    'it has what it wants',
    async () => findCondition((await read()).status?.conditions, 'Ready')?.status === 'True',
    async () => JSON.stringify(await read()),
  );
  expect((await dimmer('status', 'db', '-n=t')).stdout).toContain('ready     True');
});
afterAll(async () => {
  Object.assign(process.env, before);
  await controller.close();
  await plane.stop();
});

const dimmer = (...args: readonly string[]) => installed.dimmer(...args);
const stored = async () => {
  const { metadata, spec } = (await plane.get('vmmem', 'db', '-n', 't')) as {
    metadata: Record<string, unknown>;
    spec: { memory: string };
  };
  return { memory: spec.memory, generation: metadata['generation'], fields: metadata['managedFields'] };
};
const apply = (size: string, manager: string) =>
  plane.tryApply(
    memory('db', 't', { memory: size }),
    '--server-side',
    '--force-conflicts',
    `--field-manager=${manager}`,
  );

it('is found by kubectl, and says what it can', async () => {
  const { stdout } = await run('kubectl', ['plugin', 'list'], { env });
  expect(stdout).toContain(installed.plugin);
  expect((await dimmer('--help')).stdout).toMatch(/^Usage: kubectl dimmer COMMAND/);
  expect((await dimmer('resize', '--help')).stdout).toMatch(/^Usage: kubectl dimmer resize NAME SIZE \[OPTIONS\]/);
  expect(await dimmer('agent')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("unknown command 'agent'") as string,
  });
});

it('completes the names of the cluster through kubectl itself', async () => {
  const { stdout: script } = await runProgram(['completion', 'kubectl']);
  writeFileSync(join(dirname(installed.plugin), 'kubectl_complete-dimmer'), script, { mode: 0o755 });
  // What the scripts of `kubectl completion SHELL` ask.
  const ask = async (...words: readonly string[]) => {
    const { code, stdout } = await run('kubectl', ['__complete', 'dimmer', ...words], { env });
    expect([words, code]).toEqual([words, 0]);
    return stdout.split('\n').map((line) => line.split('\t')[0]);
  };
  expect(await ask('st')).toContain('status');
  expect(await ask('status', '--namespace', 't', '')).toContain('db');
  expect(await ask('resize', '--namespace=t', 'd')).toContain('db');
  expect(await ask('why', '--context', '')).toContain('lab');
});

it('does what the user guide shows', async () => {
  for (const { command } of commandsOf(documented('docs/user-guide.md', 'kubectl dimmer status -A'))) {
    const typed = command.replace(/NAME/, 't/db');
    const { code, stderr } = await run('sh', ['-euc', typed], { env });
    expect([typed, code, stderr]).toEqual([typed, 0, '']);
  }
  const plugins = await run('sh', ['-euc', documented('docs/user-guide.md', '`kubectl plugin list`').text], { env });
  expect(plugins.stdout).toContain('kubectl-dimmer');
  expect((await dimmer('resize', 't/db', '2Gi', '--yes', '--wait')).code).toBe(0);
});

describe('looks', () => {
  it('at one and at all, by namespace, by context and by full name', async () => {
    for (const words of [['db', '-n', 't'], ['t/db'], ['db', '--namespace=t', '--context=lab']]) {
      const { code, stdout, stderr } = await dimmer('status', ...words);
      expect([words, code, stderr]).toEqual([words, 0, '']);
      expect(stdout).toMatch(
        /^t\/db: VM db-vm on hv, Running\n[^]*^ {2}current +2Gi: boot 1Gi, plugged 1Gi, of at most 8Gi$/m,
      );
    }
    expect((await dimmer('status', '-A')).stdout).toMatch(/^t\/db +db-vm +2Gi +2Gi +True +Converged$/m);
    expect((await dimmer('status')).stdout).toBe('There is no VirtualMachineMemory; -A looks in all namespaces.\n');
    expect(JSON.parse((await dimmer('status', 't/db', '-o=json')).stdout)).toMatchObject({
      kind: 'VirtualMachineMemory',
      metadata: { name: 'db' },
    });
    const missing = await dimmer('status', 'nobody', '-n', 't');
    expect([missing.code, missing.stdout]).toEqual([1, '']);
    expect(missing.stderr).toMatch(/^Error from server \(NotFound\): [^\n]*"nobody" not found\n$/);
  });

  it('at what would be done, what has happened, and the hosts', async () => {
    const plan = await dimmer('plan', 'db', '-n', 't', '--memory', '1408Mi');
    expect([plan.code, plan.stderr]).toEqual([0, '']);
    expect(plan.stdout).toMatch(/^ {2}unplug +Unplugging: [^]*^Steps\n +1\. unplug/m);
    const planOf = (...words: readonly string[]) => dimmer('plan', 't/db', '--memory=1408Mi', ...words);
    const old = JSON.stringify({ status: { planning: { observedAt: '2026-01-01T00:00:00Z' } } });
    await plane.kubectlOk(['patch', 'vmmem', 'db', '-n', 't', '--subresource=status', '--type=merge', '-p', old]);
    const asked = await planOf();
    expect([asked.code, asked.stderr, asked.stdout]).toEqual([0, '', expect.stringMatching(/^ {2}as of +\d+s ago$/m)]);
    await eventually('an event', async () =>
      /^ +\w+ +Converged +resized from 1Gi to 2Gi$/m.test((await dimmer('events', 't/db')).stdout),
    );
    expect((await dimmer('why', 't/db')).stdout).toMatch(/^t\/db \(VM db-vm on hv\) wants 2Gi and has 2Gi\./);
    await eventually(
      'the host',
      async () => /^hv +True +\S+Gi +\S+Gi +\S+Gi +0Gi +2 +0$/m.test((await dimmer('hosts')).stdout),
      async () => (await dimmer('hosts')).stdout,
    );
  });

  it('at what namespaces have of a host that limits them', async () => {
    const limit = (namespaceLimit: string | null) =>
      plane.kubectlOk(['patch', 'hvh', 'hv', '--type=merge', '-p', JSON.stringify({ spec: { namespaceLimit } })]);
    expect((await dimmer('hosts')).stdout).not.toContain('Namespaces');
    const title = 'Namespaces, of what one may have of its host';
    let shown = '';
    await eventually(
      'the namespace',
      async () => {
        // A look at the host serves for some seconds, and this VM had more a moment ago.
        await limit('9Gi');
        await limit('8Gi');
        shown = (await dimmer('hosts')).stdout;
        return shown.endsWith(`\n\n${title}\n  t  2Gi of 8Gi  25%  hv\n`);
      },
      () => shown,
    );
    const wide = (await dimmer('hosts', '-o', 'wide')).stdout;
    expect(wide).toMatch(/ PER-NAMESPACE [^]*^hv .* 8Gi +no [^]*^ {2}t {2}2Gi of 8Gi {2}25% {2}hv$/m);
    const told = (await controller.registry.metrics()).match(/^dimmer_host_namespace_.*$/gm);
    expect(told).toEqual([
      `dimmer_host_namespace_limit_bytes{host="hv"} ${gib(8)}`,
      `dimmer_host_namespace_largest_bytes{host="hv"} ${gib(2)}`,
    ]);
    await limit(null);
  });

  it('with the rights of who asks', async () => {
    const kubeconfig = await plane.createKubeconfigForUser('ann');
    await plane.kubectlOk(['create', 'rolebinding', 'ann', '-n', 't', '--clusterrole=dimmer-view', '--user=ann']);
    await eventually(
      'she may look',
      async () => (await dimmer('status', 't/db', '--kubeconfig', kubeconfig)).code === 0,
    );
    const hosts = await dimmer('hosts', '--kubeconfig', kubeconfig);
    expect([hosts.code, hosts.stderr]).toEqual([1, expect.stringMatching(/^Error from server \(Forbidden\)/)]);
    const old = JSON.stringify({ status: { planning: { observedAt: '2026-01-01T00:00:00Z' } } });
    await plane.kubectlOk(['patch', 'vmmem', 'db', '-n', 't', '--subresource=status', '--type=merge', '-p', old]);
    // She may not ask for another look, and is told how old the last one is.
    const plan = await dimmer('plan', 't/db', '--memory=1408Mi', '--kubeconfig', kubeconfig);
    expect([plan.code, plan.stderr]).toEqual([0, '']);
    expect(plan.stdout).toMatch(/^ {2}as of +\d+d ago: by now the guest may/m);
    const resize = await dimmer('resize', 't/db', '3Gi', '--yes', '--kubeconfig', kubeconfig);
    expect([resize.code, resize.stderr]).toEqual([1, expect.stringContaining('Forbidden')]);
    expect((await stored()).memory).toBe('2Gi');
  });
});

describe('resizes', () => {
  it('and waits for it, under a name of its own', async () => {
    const ran = await dimmer('resize', 'db', '3Gi', '-n', 't', '--yes', '--wait', '--timeout=60s');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(
      /t\/db asks for 3Gi now, in the cluster\.\n(?:.*\n)* +\S+ {2}3Gi, Converged: the guest has 3Gi, as\s+wanted\n$/,
    );
    expect(controller.host('hv').script.total(uuid)).toBe(gib(3));
    const manager = (await plane.get('vmmem', 'db', '-n', 't', '--show-managed-fields')).metadata['managedFields'];
    expect(JSON.stringify(manager)).toContain('"manager":"kubectl-dimmer"');
  });

  it('shows it going on to who watches', async () => {
    const watching = spawn('kubectl', ['dimmer', 'status', 'db', '-n', 't', '--watch'], { env });
    let shown = '';
    watching.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
    await eventually(
      'it is shown',
      () => shown.includes('current   3Gi'),
      () => shown,
    );
    const ran = await dimmer('resize', 't/db', '2Gi', '--yes', '--wait', '--timeout=60s');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    await eventually(
      'the change is shown',
      () => /current +2Gi: [^]*ready +True/.test(shown),
      () => shown,
    );
    const ended = once(watching, 'close') as Promise<[number | null]>;
    watching.kill('SIGINT');
    expect((await ended)[0]).toBe(0);
  });

  it('to no other size than what is asked for', async () => {
    const { generation } = await stored();
    const ran = await dimmer('resize', 't/db', '1500Mi', '--yes', '--wait');
    expect([ran.code, ran.stderr]).toEqual([2, '']);
    expect(ran.stdout).toMatch(/Nothing is changed: 1500Mi can't be had; the nearest sizes are \S+ and\s\S+\.\n$/);
    expect((await stored()).generation).toBe(generation);
  });

  it('what another writes only by --force-conflicts', async () => {
    await apply('2Gi', 'argocd-controller');
    const ran = await dimmer('resize', 't/db', '3Gi', '--yes');
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('--force-conflicts says') as string });
    expect(ran.stdout).toContain('WARNING  argocd-controller writes its size.');
    expect((await stored()).memory).toBe('2Gi');
    expect((await dimmer('resize', 't/db', '3Gi', '--yes', '--force-conflicts', '--wait')).code).toBe(0);
    // Now it is a person's.
    expect((await dimmer('resize', 't/db', '2Gi', '--yes', '--wait')).code).toBe(0);
  });
});

describe('a size that is written', () => {
  const open = () => {
    const t = { namespace: 't', context: null, kubeconfig: null };
    return new ClusterBackend(t, false, new AbortController().signal);
  };
  /** From a look after which the controller has written nothing. */
  const setUndisturbed = (backend: ClusterBackend, size: Bytes) =>
    eventually('nothing to be written in between', async () => {
      const answer = await backend.setMemory(await backend.get('db'), { memory: size });
      return answer.outcome !== 'changed' && answer;
    });

  it('stands on what was seen and on nothing else', async () => {
    const backend = open();
    const seen = await backend.get('db');
    await plane.kubectlOk(['annotate', 'vmmem', 'db', '-n', 't', 'acme.io/changed=1']);
    expect(await backend.setMemory(seen, { memory: gib(3) })).toEqual({ outcome: 'changed' });
    expect((await stored()).memory).toBe('2Gi');
    expect(await setUndisturbed(backend, gib(3))).toEqual({ outcome: 'set', by: 'in the cluster' });
  });

  it('is refused in the words of the API server', async () => {
    const backend = open();
    expect(await setUndisturbed(backend, mib(1))).toEqual({
      outcome: 'refused',
      message: expect.stringMatching(/^The \S+ "db" is invalid: /) as string,
    });
  });
});

await describeLab(
  'in k9s',
  () => {
    let terminal: Terminal;
    beforeAll(async () => {
      // Not in `t`: what k9s fills in is `true` where Go's ParseBool takes it for that.
      const web = memory('web', 'tenants', { virtualMachine: { uuid: another }, memory: '2Gi' });
      await plane.apply(namespace('tenants'), web);
      const home = join(plane.directory, 'k9s-home');
      mkdirSync(join(home, 'k9s'), { recursive: true });
      copyFileSync(join(deployDirectory, 'kubectl/k9s-plugins.yaml'), join(home, 'k9s/plugins.yaml'));
      // Else it asks the network for a newer one of itself.
      writeFileSync(join(home, 'k9s/config.yaml'), 'k9s: { skipLatestRevCheck: true, ui: { logoless: true } }\n');
      const { KUBECONFIG: kubeconfig = '', ...others } = env;
      terminal = await openTerminal({
        // Its own option, so that a plugin must be told which kubeconfig is meant.
        command: [
          ...(strangers?.k9s ?? []),
          '--kubeconfig',
          kubeconfig,
          '--namespace',
          'tenants',
          '--command',
          'vmmem',
        ],
        env: { ...others, KUBECONFIG: '', XDG_CONFIG_HOME: home, XDG_STATE_HOME: home, XDG_DATA_HOME: home },
        ...{ columns: 120, rows: 45 },
      });
    });
    afterAll(() => terminal.close());
    const storedWeb = async () => (await plane.get('vmmem', 'web', '-n', 'tenants'))['spec'] as { memory: string };
    const back = (): Promise<string> => terminal.shows('virtualmachinememories(tenants)');

    it('its keys show a VM live, why it is so, and what has happened', async () => {
      await terminal.shows(/web +web-vm +2Gi +2Gi/);
      await terminal.press('S');
      await terminal.shows(/^tenants\/web: VM web-vm on hv, Running\n[^]*^ {2}current +2Gi/m);
      await terminal.press('C-c');
      await back();
      await terminal.press('W');
      await terminal.shows(/^tenants\/web \(VM web-vm on hv\) wants 2Gi and has 2Gi\./m);
      await terminal.press('q');
      await back();
      await terminal.press('V');
      await terminal.shows(/Converged +resized from /);
      await terminal.press('q');
      await back();
    });

    it('they plan a size, and ask for it after the plan was shown', async () => {
      await terminal.press('L');
      await terminal.shows('Memory that web should have:');
      await terminal.type('1408Mi');
      await terminal.press('Enter');
      await terminal.shows(/^Steps\n +1\. /m);
      await terminal.press('q');
      await back();
      await terminal.press('M');
      await terminal.shows('Memory that web should have:');
      await terminal.type('3Gi');
      await terminal.press('Enter');
      await terminal.shows('Resize tenants/web to 3Gi? [y/N]');
      expect((await storedWeb()).memory).toBe('2Gi');
      await terminal.type('y');
      await terminal.press('Enter');
      await terminal.shows(/3Gi, Converged: the guest has 3Gi, as\s+wanted\s+Enter goes back/);
      expect((await storedWeb()).memory).toBe('3Gi');
      await terminal.press('Enter');
      await back();
    });

    it('in its list of hosts one shows the room on them', async () => {
      await terminal.type(':hvh');
      await terminal.press('Enter');
      await terminal.shows(/hypervisorhosts\(all\)|hypervisorhosts\[/i);
      await terminal.press('H');
      await terminal.shows(/^hv +True +\S+Gi/m);
      await terminal.press('q');
    });
  },
  [...STRANGERS, 'control-plane'],
);
