/** What README.md and the guides have a person type at kubectl, from their text, on the whole product. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { run } from '../lab/run.ts';
import { program, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { commandsOf, documented, patternOf, type Snippet, snippetsOf } from '../support/documents.ts';

vi.setConfig({ testTimeout: 240_000 });
const root = join(import.meta.dirname, '../..');
/** As the column AGE has it. */
const age = /\d+m?s|\d+m\d+s/;

await describeLab('the commands of the documents', () => {
  let lab: Lab;
  let stack: Stack;
  let directory: string;

  beforeAll(async () => {
    const manifest = documented('README.md', 'kind: VirtualMachineMemory').text;
    const uuid = /uuid: (\S+)/.exec(manifest)?.[1] ?? '';
    lab = await startLab({
      controlPlane: {},
      guests: [
        { kind: 'accepting', name: 'db-1', uuid, nodes: [{ mib: 1024, vcpus: 1 }] },
        { kind: 'accepting', name: 'web-1' },
      ],
    });
    stack = await startStack(lab);
    directory = join(lab.controlPlane.directory, 'person');
    mkdirSync(directory);
    writeFileSync(join(directory, 'db-1.yaml'), manifest);
  });
  afterAll(() => stack.stop());

  const guestNamed = (name: string): LabGuest => {
    const guest = lab.guests.find((each) => each.name === name);
    if (guest === undefined) throw new Error(`no guest ${name}`);
    return guest;
  };

  /** Runs a command as a person with this cluster in their kubeconfig. */
  async function type(command: string, cwd = directory): Promise<string> {
    const { kubectlPath, adminKubeconfig } = lab.controlPlane;
    const path = [join(directory, 'bin'), dirname(kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
    const options = { cwd, env: { PATH: path, KUBECONFIG: adminKubeconfig, HOME: directory }, timeoutMs: 150_000 };
    const { code, stdout, stderr } = await run('sh', ['-euc', command], options);
    expect([command, code, stderr]).toEqual([command, 0, '']);
    return stdout;
  }
  const typeAll = async (snippet: Snippet, cwd?: string): Promise<void> => {
    for (const { command, printed } of commandsOf(snippet)) {
      const answer = await type(command, cwd);
      if (printed !== '') expect(answer).toMatch(patternOf(printed, [age]));
    }
  };

  it("README's session ends as it is printed, and the guest has the memory", async () => {
    const guest = guestNamed('db-1');
    const before = await guest.memTotalKiB();
    await typeAll(documented('README.md', 'kubectl apply -f db-1.yaml'));
    expect(await guest.memTotalKiB()).toBeGreaterThan(before + 2_800 * 1024);
  });

  it("the user guide's first resize on a cluster: an adopted VM stays as it is, and then has what is asked for", async () => {
    const guest = guestNamed('web-1');
    await guest.plugDimm(384, 'ua-by-hand');
    mkdirSync(join(directory, 'bin'));
    const main = `exec '${process.execPath}' '${program}' "$@"`;
    writeFileSync(join(directory, 'bin/dimmer'), `#!/bin/sh\n${main}\n`, { mode: 0o755 });
    const { certFile, keyFile, caFile } = stack.controllerTls;
    for (const [name, file] of [
      ['tls.crt', certFile],
      ['tls.key', keyFile],
      ['ca.crt', caFile],
    ] as const) {
      copyFileSync(file, join(directory, name));
    }

    const [adopt, ...rest] = commandsOf(documented('docs/user-guide.md', 'dimmer adopt --agent'));
    const asked = await run(
      'sh',
      ['-euc', (adopt?.command ?? '').replace('https://hv-07.example.net:9443', stack.agentUrl)],
      {
        cwd: directory,
        env: { PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}` },
      },
    );
    expect([asked.code, asked.stdout]).toEqual([0, 'web-1.yaml\n']);
    // README's session has it.
    expect(asked.stderr).toMatch(/^dimmer adopt: db-1: no manifest: VirtualMachineMemory \S+ in namespace tenants/);
    for (const { command } of rest) await type(command);
    expect((await stack.read('web-1')).status).toMatchObject({ memory: { current: '896Mi', plugged: '384Mi' } });
    expect((await stack.read('web-1')).status?.lastResize).toBeUndefined();
    expect(await guest.moduleAliases()).toEqual(['ua-by-hand']);

    await typeAll(documented('docs/user-guide.md', 'kubectl patch vmmem web-1'));
    expect(await guest.moduleAliases()).toHaveLength(2);
  });

  it('the guide to operations installs everything with one command, which can be typed again', async () => {
    await typeAll(documented('docs/operations.md', 'kubectl apply -k deploy/'), root);
    await type(documented('docs/operations.md', '`kubectl apply -f crds/`').text, root);
    await type(documented('docs/operations.md', '`kubectl apply -f deploy/`').text, root);
  });

  it('its HypervisorHost is taken, and `kubectl get hvh` says that its agent does not answer', async () => {
    const { text } = documented('docs/operations.md', 'kind: HypervisorHost # short name');
    writeFileSync(join(directory, 'hv-07.yaml'), text);
    expect(await type('kubectl apply -f hv-07.yaml')).toBe('hypervisorhost.dimmer.dev/hv-07 created\n');
    const list = documented('docs/operations.md', '`kubectl get hvh`').text;
    expect(list).toBe(documented('docs/user-guide.md', '`kubectl get hvh`').text);
    await waitFor(async () => /^hv-07\b.*\bFalse\b/m.test(await type(list)), {
      ...{ what: 'the host to be looked at', timeoutMs: 60_000, intervalMs: 500 },
    });
    expect(await type(list)).toMatch(/^hv-1\b.*\bTrue\b/m);
    const told = await type(`${documented('docs/operations.md', '`kubectl describe hvh`').text} hv-07`);
    expect(told).toMatch(/HostUnreachable/);
  });

  it("the user guide's resource is taken whole, and its fields are explained", async () => {
    const { text } = documented('docs/user-guide.md', 'kind: VirtualMachineMemory');
    writeFileSync(join(directory, 'whole.yaml'), text);
    // Not for good: db-1 is there already, and asks for something else.
    expect(await type('kubectl apply --dry-run=server -f whole.yaml')).toMatch(/db-1 configured \(server dry run\)/);
    const explained = await type(documented('docs/user-guide.md', '`kubectl explain vmmem.spec`').text);
    const spec = text.slice(text.indexOf('spec:')).split('\n');
    const fields = spec.flatMap((line) => /^ {2}(\w+):/.exec(line)?.[1] ?? []);
    expect(fields.length).toBeGreaterThan(8);
    for (const field of fields) expect(explained).toMatch(new RegExp(`^  ${field}\\t`, 'm'));
  });

  it('`kubectl get vmmem` has the columns that the user guide names', async () => {
    const list = `${documented('docs/user-guide.md', '`kubectl get vmmem`').text} --namespace tenants`;
    const columns = async (command: string) => (await type(command)).split('\n')[0]?.split(/ {2,}/).filter(Boolean);
    expect(await columns(list)).toEqual(['NAME', 'VM', 'DESIRED', 'CURRENT', 'READY', 'REASON', 'AGE']);
    const wide = await columns(`${list} -o wide`);
    for (const column of ['PAUSED', 'HOST', 'BOOT', 'MAX', 'SLOTS', 'MESSAGE']) expect(wide).toContain(column);
  });

  it('every command of the runbooks that only looks can be typed; the others are named here', async () => {
    const commands = new Set(snippetsOf('docs/runbooks.md').map(({ text }) => text));
    const looks = [...commands].filter((command) => !notTyped.has(command));
    expect(looks.length).toBeGreaterThan(20);
    expect([...notTyped.keys()].filter((command) => !commands.has(command))).toEqual([]);

    const { uuid } = guestNamed('db-1');
    await type(
      'cp "$KUBECONFIG" config && kubectl --kubeconfig=config config set-context --current --namespace=tenants',
    );
    writeFileSync(join(directory, 'virsh.xml'), await guestNamed('db-1').dumpXml());
    const names = { NAME: 'db-1', HOST: 'hv-1', DOMAIN: 'db-1', UUID: uuid, SIZE: '2Gi', FILE: 'virsh.xml' };
    for (const command of looks) {
      const whole = command.replaceAll(
        /\b(NAME|HOST|DOMAIN|UUID|SIZE|FILE)\b/g,
        (name) => names[name as keyof typeof names],
      );
      if (whole.startsWith('virsh ')) await lab.hypervisor.virshOk(whole.split(' ').slice(1));
      else await type(`export KUBECONFIG=config; { ${whole}; } 2>&1`);
    }
  });
});

const changes = 'changes something, where a reason asks for it';
const names = 'names what a sentence is about';
const ofSystemd = 'takes systemd, which does not run in this lab';
/** Commands of the runbooks that aren't typed here, and why not. */
const notTyped: ReadonlyMap<string, string> = new Map([
  ['dimmer agent check', names],
  ['dimmer status', names],
  ['dimmer agent release UUID', changes],
  ['kubectl describe', names],
  ['kubectl apply -k deploy/', 'typed above'],
  ['kubectl apply -f crds/', 'typed above'],
  ['npm run docs', 'made the file; test/unit/docs holds it to what that makes'],
  ['virsh setmem', names],
  ['virsh attach-device', names],
  ['virsh undefine UUID', changes],
  ['virsh start DOMAIN', changes],
  ['virsh resume DOMAIN', changes],
  ['virsh memtune DOMAIN', 'takes the control groups of memory, which this machine may not have'],
  ['virsh memtune DOMAIN --hard-limit SIZE', changes],
  ['virsh domjobabort DOMAIN', changes],
  ['virsh edit', names],
  ['virsh dumpxml --inactive', names],
  ['virsh define', names],
  ['virsh detach-device-alias DOMAIN ua-dimmer-N --live', changes],
  ['journalctl -u dimmer-agent', ofSystemd],
  ['systemctl status dimmer-agent', ofSystemd],
]);
