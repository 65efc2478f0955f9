/** Whatever is wrong ends in a condition or a refusal that says what to do; nothing changes on any VM. */
import { createServer, type Server } from 'node:https';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { dimmXml } from '../lab/guest-xml.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { type Stack, startStack } from '../lab/stack.ts';

const nobody = '00000000-0000-4000-8000-000000000000';

await describeLab('bad input', () => {
  let stack: Stack;
  let guest: LabGuest;
  beforeAll(async () => {
    const lab = await startLab({
      controlPlane: 'shared',
      guests: [
        { kind: 'accepting', name: 'good', slots: 1 },
        { kind: 'accepting', name: 'named' },
        { kind: 'no-os', name: 'off', leaveOff: true },
        { kind: 'accepting', name: 'fixed', maxMemoryMib: null },
        { kind: 'no-os', name: 'wordless' },
      ],
    });
    stack = await startStack(lab);
    guest = guestNamed('good');
  });
  afterAll(() => stack.stop());

  const guestNamed = (name: string): LabGuest => {
    const found = stack.lab.guests.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  };
  const untouched = async (): Promise<void> => {
    for (const { name, moduleAliases } of stack.lab.guests) expect(await moduleAliases(), name).toEqual([]);
  };
  const applyHost = async (name: string, spec: object): Promise<void> => {
    const applied = await stack.apply({
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'HypervisorHost',
      metadata: { name },
      spec: { allowedNamespaces: { from: 'All' }, ...spec },
    });
    expect(applied.code, applied.stderr).toBe(0);
  };

  describe('is refused by the API server', () => {
    it.each([
      ['an unknown field', { memory: '1Gi', memroy: '2Gi' }, 'unknown field "spec.memroy"'],
      ['a negative size', { memory: '-1Gi' }, '-1Gi'],
      ['a fraction of a MiB', { memory: '1000500Ki' }, 'MiB'],
      ['an absurd size', { memory: '1Ei' }, '1Ei'],
      ['no quantity', { memory: 'plenty' }, 'plenty'],
      ['a size below 64Mi', { memory: '1Mi' }, '64Mi'],
      ['uuid and name', { virtualMachine: { uuid: nobody, name: 'x' } }, 'exactly one of uuid and name'],
      ['a name without a host', { virtualMachine: { name: 'x' }, hostRef: null }, 'hostRef'],
      ['a policy that there is not', { shrinkPolicy: 'Brutal' }, 'Brutal'],
    ])('%s', async (_what, spec, says) => {
      const applied = await stack.apply(stack.manifest('bad', nobody, spec));
      expect(applied.code).not.toBe(0);
      expect(applied.stderr).toContain(says);
    });
  });

  describe('of the VM', () => {
    it.each([
      ['does not exist', nobody, '1Gi', 'VMNotFoundOrNotAllowed', 'spec.virtualMachine'],
      ['is switched off', 'off', '1Gi', 'VMNotRunning', 'start it'],
      ['has no maxMemory', 'fixed', '1Gi', 'HotplugUnsupported', 'maxMemory'],
      ['is to have more than its maximum', 'good', '16Gi', 'ExceedsMaxMemory', '8Gi'],
      ['is to have less than its boot memory', 'good', '256Mi', 'BelowBootMemory', '512Mi'],
      ['has another block size', 'good', '600Mi', 'Misaligned', '128Mi'],
    ])('that %s', async (_what, vm, memory, reason, says) => {
      const uuid = vm === nobody ? nobody : guestNamed(vm).uuid;
      const name = `vm-${reason.toLowerCase()}`;
      const applied = await stack.apply(stack.manifest(name, uuid, { memory }));
      expect(applied.code, applied.stderr).toBe(0);
      const object = await stack.reaches(name, reason);
      const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
      expect(ready?.message).toContain(says);
      await untouched();
      await stack.lab.controlPlane.kubectlOk(['delete', 'vmmem', name, '--namespace=tenants', '--wait=false']);
    });

    it('with a module of a longer name than a status can hold is told, and gives that back', async () => {
      const { uuid } = guestNamed('named');
      const alias = `ua-${'long'.repeat(100)}`;
      const file = join(stack.lab.hypervisor.directory, 'long-alias.xml');
      writeFileSync(file, dimmXml(128, alias));
      await stack.lab.hypervisor.virshOk(['attach-device', uuid, file, '--live']);
      await stack.apply(stack.manifest('long', uuid, { memory: '640Mi' }));
      const { status } = await stack.reaches('long', 'Converged');
      expect(status?.modules?.[0]?.alias).toMatch(/^ua-long.{239}…[0-9a-f]{8}$/);
      await stack.apply(stack.manifest('long', uuid, { memory: '512Mi' }));
      await stack.reaches('long', 'Converged');
      await untouched();
    });

    it('without a free slot is left with what it has', async () => {
      await stack.apply(stack.manifest('full', guest.uuid, { memory: '1Gi' }));
      await stack.reaches('full', 'Converged');
      await stack.apply(stack.manifest('full', guest.uuid, { memory: '2Gi' }));
      const object = await stack.reaches('full', 'SlotsExhausted');
      expect(object.status?.memory?.current).toBe('1Gi');
      await stack.apply(stack.manifest('full', guest.uuid, { memory: '512Mi' }));
      await stack.reaches('full', 'Converged');
      await untouched();
    });
  });

  describe('of the host', () => {
    const rejects = async (host: string, reason: string): Promise<string> => {
      const manifest = stack.manifest(`on-${host}`, guestNamed('wordless').uuid, {
        memory: '1Gi',
        hostRef: { name: host },
      });
      await stack.apply(manifest);
      const object = await stack.reaches(`on-${host}`, reason);
      await untouched();
      return object.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
    };

    it('that nobody knows', async () => {
      expect(await rejects('nowhere', 'HostUnknown')).toContain('nowhere');
    });

    it('whose agent is down', async () => {
      await applyHost('down', { address: 'https://127.0.0.1:9' });
      expect(await rejects('down', 'HostUnreachable')).toContain('127.0.0.1:9');
    });

    it('that shows a certificate for another name', async () => {
      await applyHost('misnamed', { address: stack.agentUrl, tlsServerName: 'elsewhere.example.net' });
      expect(await rejects('misnamed', 'HostUnauthorized')).toContain('elsewhere.example.net');
    });

    it('that answers rubbish', async () => {
      const { pki } = stack.lab.controlPlane;
      const issued = await pki.issue({ name: 'rubbish', ip: ['127.0.0.1'] });
      const tls = { cert: readFileSync(issued.certFile), key: readFileSync(issued.keyFile) };
      const server: Server = createServer(tls, (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"modules": "lots"');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        await applyHost('rubbish', { address: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
        expect(await rejects('rubbish', 'HostUnreachable')).toContain('not its API');
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });
  });

  it('leaves the controller alive and calm', async () => {
    const metrics = await (await fetch(stack.metricsUrl)).text();
    const total = [...metrics.matchAll(/^dimmer_reconcile_duration_seconds_count\{.*\} (\d+)$/gm)]
      .map(([, count]) => Number(count))
      .reduce((sum, count) => sum + count, 0);
    // A few for each of the cases above; a storm would be thousands.
    expect(total).toBeGreaterThan(10);
    expect(total).toBeLessThan(400);
    expect(stack.controller.pid()).toBeGreaterThan(0);
  });
});
