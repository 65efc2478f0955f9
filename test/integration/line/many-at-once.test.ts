/** 500 VMs of one host are resized at once: the agent's program, the controller's, and a real API server. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { describeLab } from '../../lab/describe.ts';
import { startLab } from '../../lab/lab.ts';
import { namespace, type Stack, startStack } from '../../lab/stack.ts';
import { waitFor } from '../../lab/wait.ts';

const vms = 500;
const path = `/apis/dimmer.dev/v1alpha1/namespaces/${namespace}/virtualmachinememories`;
vi.setConfig({ testTimeout: 240_000 });

/** What number n has at first, GiB: accepting, refusing, silent, using. */
const initialGiB = (number: number): number => [1, 2, 1, 4][(number - 1) % 4] ?? 1;
const nameOf = (number: number): string => `vm-${number}`;

await describeLab(
  'many resizes at once on one host',
  () => {
    let stack: Stack;
    let api: Agent;

    beforeAll(async () => {
      const lab = await startLab({ controlPlane: 'shared', hypervisor: null });
      stack = await startStack(lab, { agentDriver: ['--driver=simulated', `--simulated-vms=${vms}`] });
      const config = JSON.parse(readFileSync(lab.controlPlane.adminKubeconfig, 'utf8')) as {
        users: { user: { 'client-certificate': string; 'client-key': string } }[];
      };
      const user = config.users[0]?.user;
      if (user === undefined) throw new Error('the admin kubeconfig has no user');
      api = new Agent({
        connections: 50,
        connect: {
          ca: lab.controlPlane.caPem,
          cert: readFileSync(user['client-certificate']),
          key: readFileSync(user['client-key']),
        },
      });
    });
    afterAll(async () => {
      await api.close();
      await stack.stop();
    });

    async function ask(method: 'GET' | 'POST' | 'PATCH', where: string, body?: object): Promise<unknown> {
      const response = await request(`${stack.lab.controlPlane.url}${where}`, {
        dispatcher: api,
        method,
        headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const answer: unknown = await response.body.json();
      if (response.statusCode >= 300) throw new Error(`${method} ${where}: ${JSON.stringify(answer)}`);
      return answer;
    }
    const forEachVm = (act: (number: number) => Promise<unknown>) =>
      Promise.all(Array.from({ length: vms }, (_, index) => act(index + 1)));

    const readyOf = ({ status }: VirtualMachineMemory) => status?.conditions?.find(({ type }) => type === 'Ready');

    /** Waits until all have what they want. */
    async function untilAllConverged(timeoutMs: number): Promise<void> {
      let left = 'not asked yet';
      await waitFor(
        async () => {
          const { items } = (await ask('GET', path)) as { items: VirtualMachineMemory[] };
          const others = items.filter(
            (one) => readyOf(one)?.reason !== 'Converged' || one.status?.observedGeneration !== one.metadata.generation,
          );
          const said = Object.entries(Object.groupBy(others, (one) => readyOf(one)?.reason ?? 'nothing'));
          left = said.map(([reason, some]) => `${some?.length} say ${reason}`).join(', ');
          return items.length === vms && others.length === 0;
        },
        { what: 'all to be resized', timeoutMs, intervalMs: 500, details: () => left },
      );
    }

    /** How often a reconcile has ended with each reason, by the controller's own metrics. */
    async function reasons(): Promise<Record<string, number>> {
      const text = await (await fetch(stack.metricsUrl)).text();
      const rows = text.matchAll(
        /^dimmer_reconcile_duration_seconds_count\{kind="VirtualMachineMemory",reason="(\w+)"\} (\d+)$/gm,
      );
      return Object.fromEntries([...rows].map(([, reason = '', count]) => [reason, Number(count)]));
    }

    test('all are resized within seconds, and none is told that the host is busy', async () => {
      await forEachVm((number) =>
        ask('POST', path, stack.manifest(nameOf(number), uuidOfNumber(number), { memory: `${initialGiB(number)}Gi` })),
      );
      await untilAllConverged(60_000);
      await forEachVm((number) =>
        ask('PATCH', `${path}/${nameOf(number)}`, { spec: { memory: `${initialGiB(number) + 1}Gi` } }),
      );
      await untilAllConverged(30_000);
      expect(Object.keys(await reasons())).not.toContain('HostBusy');
    });
  },
  ['control-plane'],
);
