/** Which daemon the agent finds: libvirt's modular one before the monolithic one, by itself or by URI. */
import { renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { isUp, observedUntil, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { run } from '../../lab/run.ts';
import { builtMain } from '../../support/built-program.ts';
import { createAgentPki, startAgentFixture } from './agent-fixture.ts';

await describeLab(
  "libvirt's sockets",
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let monolithic: string;
    let modular: string;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      guest = lab.guest('accepting');
      monolithic = lab.hypervisor.socketPath;
      modular = join(lab.hypervisor.socketDirectory, 'virtqemud-sock');
    });
    afterAll(() => lab.stop());

    /** `dimmer agent check` where the lab's directories are libvirt's own: nothing tells it where the socket is. */
    async function findLibvirt(): Promise<string> {
      const [command, args] = lab.hypervisor.commandInside(process.execPath, [builtMain, 'agent', 'check']);
      const { stdout } = await run(command, args);
      return stdout.split('\n').find((line) => /^ +\w+ +libvirt /.test(line)) ?? stdout;
    }

    test('the monolithic daemon is found where the modular one is not there, or is not listening', async () => {
      expect(await findLibvirt()).toMatch(/^ +ok .* through \/run\/libvirt\/libvirt-sock$/);
      // What a daemon that was killed leaves behind: a socket that nobody listens on.
      const left = join(lab.hypervisor.directory, 'left.sock');
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(left, resolve));
      renameSync(left, modular);
      await new Promise((resolve) => server.close(resolve));
      expect(await findLibvirt()).toMatch(/^ +ok .* through \/run\/libvirt\/libvirt-sock$/);
    });

    test('the modular one is found, and served, alone', async () => {
      // A socket goes on listening under another name: this is libvirtd listening on virtqemud-sock.
      renameSync(monolithic, modular);
      expect(await findLibvirt()).toMatch(/^ +ok .* through \/run\/libvirt\/virtqemud-sock$/);
      const pki = await createAgentPki(lab.hypervisor.directory);
      const agent = await startAgentFixture(`qemu:///system?socket=${modular}`, pki);
      const bench = { host: agent.client, uuid: guest.uuid };
      const { revision } = await observedUntil(bench, 'the guest reports', isUp);
      valueOf(await agent.client.plug(guest.uuid, revision, plugRequest(0, mib(128))));
      expect(valueOf(await agent.client.observe(guest.uuid)).layout?.modules).toMatchObject([{ slot: 0 }]);
      await agent.stop();
      renameSync(modular, monolithic);
    });
  },
  ['hypervisor'],
);
