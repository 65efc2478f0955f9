/**
 * `npm run demo:real`: the whole product as a story, on a real API server, a real libvirtd and real Linux guests.
 * It ends with 0 only if everything it tells came true.
 */
import { ensureLab } from '../ensure.ts';
import type { LabGuest } from '../guest-types.ts';
import { type Lab, startLab } from '../lab.ts';
import { reportToTerminal as report } from '../progress.ts';
import { controllerUri, namespace, type Stack, startStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { answer, bold, chapter, command, remark, say } from '../../demo/narrator.ts';

/** Stops the story when something didn't happen as told. */
function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`the story went wrong: ${what}`);
}

const toMib = (kib: number): string => `${Math.round(kib / 1024)} MiB`;

class Story {
  readonly stack: Stack;
  readonly lab: Lab;

  constructor(stack: Stack) {
    this.stack = stack;
    this.lab = stack.lab;
  }

  async guestSays(guest: LabGuest): Promise<number> {
    const total = await guest.memTotalKiB();
    say(`   ${guest.name}'s own /proc/meminfo: ${bold(`MemTotal ${toMib(total)}`)}`);
    return total;
  }

  async kubectl(...args: string[]): Promise<string> {
    command(`kubectl ${args.map((arg) => (/[{}\s[\]?@]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`);
    const result = await this.lab.controlPlane.kubectl([...args, `--namespace=${namespace}`]);
    answer(result.stdout + result.stderr);
    return result.stdout + result.stderr;
  }

  /** Applies a size; the manifest is shown as a person would write it. */
  async apply(guest: LabGuest, memory: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const extra = Object.entries(more).map(([key, value]) => `, ${key}: ${String(value)}`);
    const spec = `{ virtualMachine: { uuid: ${guest.uuid.slice(0, 8)}… }, memory: ${memory}, growPolicy: Whole${extra.join('')} }`;
    command(`kubectl apply -f ${guest.name}.yaml      # spec: ${spec}`);
    const result = await this.stack.apply(
      this.stack.manifest(guest.name, guest.uuid, { memory, growPolicy: 'Whole', ...more }),
    );
    answer(result.stdout + result.stderr);
    return result.stderr;
  }

  async showModules(guest: LabGuest): Promise<void> {
    await this.kubectl(
      'get',
      'vmmem',
      guest.name,
      '-o',
      'jsonpath={range .status.modules[*]}slot {.slot}: {.size}{"\\n"}{end}',
    );
  }

  /** Applies a size that can be reached, and waits until it is. */
  async resize(guest: LabGuest, memory: string): Promise<void> {
    const started = Date.now();
    const stderr = await this.apply(guest, memory);
    expect(stderr === '', 'the API server takes the size');
    command(`kubectl wait --for=condition=Ready vmmem/${guest.name}`);
    await this.stack.reaches(guest.name, 'Converged');
    answer(`ready ${((Date.now() - started) / 1000).toFixed(1)} s after kubectl apply was started`);
  }
}

async function grow(story: Story, guest: LabGuest): Promise<void> {
  chapter('More memory, while the guest runs');
  const before = await story.guestSays(guest);
  await story.resize(guest, '896Mi');
  const after = await story.guestSays(guest);
  expect(after - before === 384 * 1024, 'the guest got 384 MiB');
  await story.kubectl('get', 'vmmem');
  remark('two more steps up, so that there are modules to choose from');
  await story.resize(guest, '1152Mi');
  await story.resize(guest, '1408Mi');
  await story.guestSays(guest);
  await story.showModules(guest);
}

async function shrink(story: Story, guest: LabGuest): Promise<void> {
  chapter('Less memory: an exact set of modules');
  remark('512Mi less. Taking the largest module first would take 384Mi and be stuck. First the plan, paused:');
  await story.apply(guest, '896Mi', { paused: true });
  const paused = await story.stack.reaches(guest.name, 'Paused');
  say(`   the plan: ${bold(paused.status?.plan?.message ?? 'none')}`);
  remark('and now for real');
  await story.resize(guest, '896Mi');
  await story.guestSays(guest);
  await story.showModules(guest);
  const aliases = await guest.moduleAliases();
  expect(aliases.join() === 'ua-dimmer-0', 'the module of 384Mi is the one that stayed');
}

async function refuseAtAdmission(story: Story, guest: LabGuest): Promise<void> {
  chapter('A size that no set of modules makes is refused by the API server itself');
  const stderr = await story.apply(guest, '640Mi');
  expect(stderr.includes('512Mi') && stderr.includes('896Mi'), 'the nearest sizes were named');
}

async function protectProcesses(story: Story, guest: LabGuest): Promise<void> {
  chapter('A guest that is using its memory is not asked for it');
  const work = await guest.useMemory(500);
  remark('a process in the guest now really uses 500 MiB');
  await waitFor(
    async () => {
      const stats = await story.lab.hypervisor.virshOk(['dommemstat', guest.uuid]);
      return Number(/usable (\d+)/.exec(stats)?.[1]) < 384 * 1024;
    },
    { what: 'the statistics to show it', timeoutMs: 20_000 },
  );
  await story.apply(guest, '512Mi');
  const held = await story.stack.reaches(guest.name, 'GuestMemoryInUse');
  say(`   ${held.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? ''}`);
  expect(await work.isAlive(), 'the process lives');
  remark('the process ends by itself; the controller sees it in the statistics and goes on');
  await work.free();
  await story.stack.reaches(guest.name, 'Converged');
  await story.guestSays(guest);
}

async function tellRefusal(story: Story, guest: LabGuest): Promise<void> {
  chapter('A guest that refuses: nothing breaks, and the status names the module');
  await story.resize(guest, '1Gi');
  await story.apply(guest, '512Mi');
  await story.stack.reaches(guest.name, 'GuestRefused');
  await story.kubectl('get', 'vmmem');
  const says = await story.kubectl(
    'get',
    'vmmem',
    guest.name,
    '-o',
    'jsonpath={.status.conditions[?(@.type=="GuestAccepted")].message}',
  );
  expect(says.includes('ua-dimmer-0'), 'the module was named');
  await story.guestSays(guest);
}

async function survive(story: Story, guest: LabGuest): Promise<void> {
  chapter('Killed in the middle: the controller, the agent and libvirtd');
  const { controller, agent } = story.stack;
  const { hypervisor } = story.lab;
  command(`kubectl apply -f ${guest.name}.yaml      # memory: 1Gi, and 20 ms later kill -9 of all three`);
  await story.stack.apply(story.stack.manifest(guest.name, guest.uuid, { memory: '1Gi', growPolicy: 'Whole' }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all([controller.stop('SIGKILL'), agent.stop('SIGKILL'), hypervisor.killDaemon('SIGKILL')]);
  remark('started again');
  await hypervisor.startDaemon();
  await agent.start();
  await controller.start();
  await story.stack.reaches(guest.name, 'Converged');
  await story.guestSays(guest);
  const aliases = await guest.moduleAliases();
  expect(aliases.length === 1, 'there is one module, not two');
  await story.kubectl('get', 'vmmem');
}

async function main(): Promise<void> {
  const start = Date.now();
  const seconds = (): string => `${((Date.now() - start) / 1000).toFixed(0)} s`;
  await ensureLab(report);
  report('starting a control plane, a hypervisor and two guests (10 to 30 s)');
  const lab = await startLab({
    controlPlane: {},
    guests: [
      { kind: 'accepting', name: 'db-1' },
      { kind: 'refusing', name: 'stubborn' },
    ],
  });
  let stack: Stack | null = null;
  try {
    report('installing crds/ and deploy/, starting the agent and the controller');
    stack = await startStack(lab);
    report(`everything runs (${seconds()})`);
    say(bold('\nDimmer: the memory of running virtual machines, up and down'));
    say(`   API server ${lab.controlPlane.url}, agent ${stack.agentUrl} (mutual TLS, client ${controllerUri})`);
    say(`   guests: ${lab.guests.map(({ name, uuid }) => `${name} (${uuid})`).join(', ')}`);
    const story = new Story(stack);
    const guest = lab.guest('accepting');
    await grow(story, guest);
    await shrink(story, guest);
    await refuseAtAdmission(story, guest);
    await protectProcesses(story, guest);
    await tellRefusal(story, lab.guest('refusing'));
    await survive(story, guest);
    say(`\n${bold('Everything came true')} (${seconds()}). 'npm run lab' brings the same up for you to play with.`);
  } finally {
    report('taking everything down');
    await (stack ?? lab).stop();
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // All that was started ends with this process, by the kernel.
  process.once(signal, () => process.exit(130));
}
try {
  await main();
} catch (error) {
  report(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
process.exit();
