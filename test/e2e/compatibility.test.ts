/** Agents and controllers are upgraded one by one, and back: version 0.1.0 and today's finish what the other began. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHttpsHost } from '../../src/host/http/client.ts';
import { withLeadership } from '../../src/host/leadership.ts';
import { leaderNamespace } from '../../src/libvirt/xml/leader.ts';
import { mib } from '../../src/memory/bytes.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { openTlsFiles } from '../../src/runtime/tls-files.ts';
import { codeOf, leadershipOf, plugRequest } from '../contract/bench.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { STACK_PARTS } from '../lab/needs.ts';
import { findReleasedProgram } from '../lab/released-program.ts';
import { hostName, program as current, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

const stateUri = 'https://dimmer.dev/xmlns/state/1';
const replacing = { growPolicy: 'Whole', shrinkPolicy: 'Replace', unplugTimeout: '5s' };

await describeLab(
  'version 0.1.0 and this one',
  () => {
    const old = findReleasedProgram()?.program ?? '';
    let stack: Stack;
    beforeAll(async () => {
      const names = ['upgraded', 'upgraded-agents-first', 'downgraded'];
      const lab = await startLab({
        controlPlane: 'shared',
        guests: [
          ...names.map((name) => ({ kind: 'silent', name }) as const),
          ...['newer', 'released'].map((name) => ({ kind: 'accepting', name }) as const),
        ],
      });
      stack = await startStack(lab);
    });
    afterAll(() => stack.stop());

    const guestNamed = (name: string): LabGuest => {
      const found = stack.lab.guests.find((guest) => guest.name === name);
      if (found === undefined) throw new Error(`no guest ${name}`);
      return found;
    };
    const run = async (part: 'agent' | 'controller', program: string): Promise<void> => {
      await stack[part].stop();
      await stack[part].start(program);
    };
    const apply = async (guest: LabGuest, spec: Readonly<Record<string, unknown>>) => {
      const applied = await stack.apply(stack.manifest(guest.name, guest.uuid, spec));
      expect(applied.code, applied.stderr).toBe(0);
    };
    /** The state as libvirt shows it; the attributes of one element. */
    const stateOf = (guest: LabGuest) => stack.lab.hypervisor.virshOk(['metadata', guest.uuid, stateUri]);
    const elementOf = (state: string, name: string): string =>
      new RegExp(`<(\\w+:)?${name} [^>]*>`).exec(state)?.[0] ?? '';
    /** Waits until the controller that runs now has looked at a VM and found its unplug still unanswered. */
    const looksAgain = async () => {
      const count = async (): Promise<number> => {
        const text = await (await fetch(stack.metricsUrl)).text();
        return Number(
          /^dimmer_reconcile_duration_seconds_count\{(?:kind="\w+",)?reason="UnplugUnknown"\} (\d+)$/m.exec(
            text,
          )?.[1] ?? 0,
        );
      };
      const before = await count();
      await waitFor(async () => (await count()) > before, { what: 'another look', timeoutMs: 60_000 });
    };
    const modulesOf = async (guest: LabGuest) =>
      (await stack.read(guest.name)).status?.modules?.map(({ slot, size, state }) => ({ slot, size, state }));

    it.each([
      { name: 'upgraded', writer: old, reader: current, order: ['controller', 'agent'] },
      { name: 'upgraded-agents-first', writer: old, reader: current, order: ['agent', 'controller'] },
      { name: 'downgraded', writer: current, reader: old, order: ['agent', 'controller'] },
    ] as const)('a VM that is $name in the middle of a replacement ends as if nothing had been', async (versions) => {
      const { name, writer, reader, order } = versions;
      const guest = guestNamed(name);
      await run('agent', writer);
      await run('controller', writer);
      await apply(guest, { memory: '1Gi', ...replacing });
      await stack.reaches(name, 'Converged');
      await guest.waitPinned();
      // A module of 256 MiB is plugged for the one of 512 MiB, which the guest is asked for and says nothing about.
      await apply(guest, { memory: '768Mi', ...replacing });
      await stack.reaches(name, 'UnplugUnknown');
      const written = await stateOf(guest);
      expect(elementOf(written, 'claim')).toMatch(/generation=["']2["']/);
      expect(elementOf(written, 'replacement')).toMatch(/slot=["']1["']/);
      expect(elementOf(written, 'mark')).toMatch(/phase=["']leaving["']/);

      // One part of the other version beside one of this, then both: neither asks or plugs again.
      const midway = [
        { slot: 0, size: '512Mi', state: 'Leaving' },
        { slot: 1, size: '256Mi', state: 'Plugged' },
      ];
      for (const part of order) {
        await run(part, reader);
        await looksAgain();
        await stack.reaches(name, 'UnplugUnknown');
        expect(await modulesOf(guest)).toEqual(midway);
      }
      for (const element of ['claim', 'replacement']) {
        expect(elementOf(await stateOf(guest), element)).toBe(elementOf(written, element));
      }

      await guest.letGo();
      await stack.reaches(name, 'Converged');
      expect(await modulesOf(guest)).toEqual([{ slot: 1, size: '256Mi', state: 'Plugged' }]);
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-1']);

      // The last of the four pairs, over a VM that both have written.
      await run('agent', writer);
      await apply(guest, { memory: '1Gi', ...replacing });
      const grown = await stack.reaches(name, 'Converged');
      expect(grown.status?.memory?.current).toBe('1Gi');
      const ready = await stack.lab.controlPlane.kubectlOk([
        'get',
        'hvh',
        hostName,
        '-o',
        'jsonpath={.status.conditions}',
      ]);
      expect(JSON.parse(ready)).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    });

    it('what a newer version adds to the state stays, whatever this one does with the VM', async () => {
      await run('agent', current);
      await run('controller', current);
      const guest = guestNamed('newer');
      await apply(guest, { memory: '1Gi', growPolicy: 'Whole' });
      await stack.reaches('newer', 'Converged');
      const claim = elementOf(await stateOf(guest), 'claim');
      const attributes = /clusterId[^/>]*/.exec(claim)?.[0] ?? '';
      const added = `<state schema="2"><claim ${attributes} shard="a &amp; b"><lease until="9"/></claim><budget>7</budget></state>`;
      const { virshOk } = stack.lab.hypervisor;
      await virshOk(['metadata', guest.uuid, stateUri, '--key', 'dimmer', '--set', added, '--live']);
      for (const memory of ['1280Mi', '1Gi', '512Mi']) {
        await apply(guest, { memory, growPolicy: 'Whole' });
        await stack.reaches('newer', 'Converged');
      }
      const kept = await stateOf(guest);
      expect(elementOf(kept, 'claim')).toMatch(/generation=["']4["']/);
      for (const part of ['schema="2"', 'shard="a &amp; b"', 'lease until="9"', 'budget>7<']) {
        expect(kept.replaceAll("'", '"')).toContain(part);
      }
      expect(readFileSync(stack.agent.logFile, 'utf8')).not.toContain('cannot be read');
    });

    it('a resource with Release goes with what was plugged for it, also from an agent that gives no claim up', async () => {
      const guest = guestNamed('released');
      await run('agent', old);
      const lasting = { persistence: 'LiveAndConfig', deletionPolicy: 'Release' };
      await apply(guest, { memory: '1Gi', growPolicy: 'Whole', ...lasting });
      const { status } = await stack.reaches('released', 'Converged');
      // It knows of no stored definitions, and that is said.
      expect(status?.conditions?.find(({ type }) => type === 'Persisted')).toMatchObject({
        ...{ status: 'False', reason: 'UnsupportedAgent' },
      });
      expect(status?.memory).not.toHaveProperty('atNextBoot');
      await stack.lab.controlPlane.kubectlOk(['delete', 'vmmem', 'released', '--namespace=tenants', '--timeout=60s']);
      expect(await guest.moduleAliases()).toEqual([]);
      expect(elementOf(await stateOf(guest), 'claim')).not.toBe('');
      // The next one takes it over.
      await apply(guest, { memory: '768Mi', growPolicy: 'Whole' });
      await stack.reaches('released', 'Converged');
      await run('agent', current);
    });

    it('an agent of 0.1.0 passes over who leads, and one of today knows it again afterwards', async () => {
      await run('agent', current);
      await run('controller', current);
      const guest = guestNamed('upgraded');
      await apply(guest, { memory: '1Gi', ...replacing });
      await stack.reaches('upgraded', 'Converged');
      await stack.controller.stop();
      const tls = openTlsFiles(stack.controllerTls, systemClock, silentLogger);
      const host = createHttpsHost({ address: stack.agentUrl, tls, clock: systemClock });
      const change = async (epoch: number, slot: number): Promise<string> => {
        let answer = '';
        const { revision, claim } = await waitFor(
          async () => {
            const seen = await host.observe(guest.uuid);
            answer = JSON.stringify(seen);
            return seen.ok && seen.value;
          },
          { what: 'the agent to answer', timeoutMs: 20_000, details: () => answer },
        );
        if (claim === null) throw new Error('nobody has claimed the VM');
        const led = withLeadership(host, leadershipOf(epoch));
        return codeOf(await led.plug(guest.uuid, revision, plugRequest(slot, mib(128), claim)));
      };
      try {
        expect(await change(7, 8)).toBe('ok');
        const kept = await stack.lab.hypervisor.virshOk(['metadata', guest.uuid, leaderNamespace]);
        expect(kept).toContain('dimmer-controller#7');
        await run('agent', old);
        expect(await change(6, 9)).toBe('ok');
        await run('agent', current);
        expect(await change(6, 10)).toBe('not-leader');
        expect(await change(7, 10)).toBe('ok');
        const led = ['ua-dimmer-8', 'ua-dimmer-9', 'ua-dimmer-10'];
        expect(await guest.moduleAliases()).toEqual(expect.arrayContaining(led));
      } finally {
        await host.close();
        tls.close();
      }
    });
  },
  [...STACK_PARTS, 'released'],
);
