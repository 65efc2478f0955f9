/**
 * `npm run demo`: what Dimmer does, as a story on simulated guests. No root, no Kubernetes, no hypervisor: the built
 * program follows real manifests. It ends with 0 only if everything it tells came true. `npm run demo -- --console`: the same
 * guests in the browser, to play with.
 */
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { bold, chapter, remark, say } from './narrator.ts';
import { DemoStandalone } from './standalone.ts';

/** Stops the story when something didn't happen as told. */
function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`the story went wrong: ${what}`);
}

const whole = { growPolicy: 'Whole' };
const sizes = ({ status }: VirtualMachineMemory): string => (status?.modules ?? []).map(({ size }) => size).join(' ');
const message = ({ status }: VirtualMachineMemory): string =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';

async function grow(demo: DemoStandalone): Promise<void> {
  chapter('More memory, while the VM runs');
  demo.edit('web', '1408Mi', whole);
  await demo.reaches('web', 'Converged', '1408Mi');
  demo.status('web');
  remark('two more steps up, so that there are modules to choose from');
  for (const memory of ['1664Mi', '1920Mi']) {
    demo.edit('web', memory, whole);
    await demo.reaches('web', 'Converged', memory);
  }
}

async function shrink(demo: DemoStandalone): Promise<void> {
  chapter('Less memory: an exact set of modules');
  remark('512Mi less. Who takes the largest module first takes 384Mi, and is stuck.');
  demo.edit('web', '1408Mi', whole);
  const web = await demo.reaches('web', 'Converged', '1408Mi');
  demo.status('web');
  expect(sizes(web) === '384Mi', 'the module of 384Mi is the one that stayed');
}

async function refuse(demo: DemoStandalone): Promise<void> {
  chapter('A size that no set of modules makes');
  demo.edit('web', '1152Mi', whole);
  const web = await demo.reaches('web', 'UnreachableSize', '1152Mi');
  say(`   ${message(web)}`);
  expect(sizes(web) === '384Mi', 'nothing was changed');
  expect(message(web).includes('1Gi') && message(web).includes('1408Mi'), 'the nearest sizes were named');
}

async function findAnotherSet(demo: DemoStandalone): Promise<void> {
  chapter('A guest that refuses: another set is found');
  remark('db has modules of 512Mi, 256Mi and 256Mi, and something in it holds on to the large one');
  demo.edit('db', '1536Mi');
  const db = await demo.reaches('db', 'Converged', '1536Mi');
  demo.status('db');
  expect(sizes(db) === '512Mi' && db.status?.modules?.[0]?.refusals === 1, 'it refused once, and the small ones went');
}

async function spare(demo: DemoStandalone): Promise<void> {
  chapter('A guest that is using its memory is not asked for it');
  remark('cache has 4Gi, and its processes use 3Gi of it');
  demo.edit('cache', '2Gi');
  const cache = await demo.reaches('cache', 'GuestMemoryInUse', '2Gi');
  say(`   ${message(cache)}`);
  expect(cache.status?.modules?.every(({ state }) => state === 'Plugged') === true, 'no module was asked for');
}

async function survive(demo: DemoStandalone): Promise<void> {
  chapter('Killed in the middle');
  demo.edit('web', '3Gi');
  await demo.reaches('web', 'Converged', '3Gi');
  demo.edit('web', '1Gi');
  await demo.isAsked('web');
  await demo.kill();
  say(`   ${bold('$')} kill -9 %1      # while the guest gives a module up`);
  demo.status('web');
  await demo.start();
  const web = await demo.reaches('web', 'Converged', '1Gi');
  // After a start it isn't known at once what a guest has taken up.
  await demo.reaches('db', 'Converged', '1536Mi');
  demo.status();
  expect(sizes(web) === '', 'all modules have gone, as if nothing had happened');
  const resizes = ({ status }: VirtualMachineMemory): string =>
    `${status?.lastResize?.from ?? ''} ${status?.lastResize?.to ?? ''}`;
  expect(resizes(web) === '3Gi 1Gi', 'it went on where it was');
  expect(sizes(demo.read('db') ?? web) === '512Mi', 'what was settled stayed as it was');
}

/** The same guests, for somebody to play with. */
async function play(): Promise<void> {
  const demo = new DemoStandalone();
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort());
  try {
    say(bold('Dimmer: the memory of running virtual machines, in the browser'));
    say('   The guests are simulated; all else is the program as it ships, and real files.');
    say('   web gives its memory up, db holds on to a large module, cache uses most of what it has.');
    await demo.start();
    demo.edit('web', '2Gi');
    demo.edit('db', '2Gi');
    demo.edit('cache', '4Gi');
    await demo.reaches('web', 'Converged', '2Gi');
    await demo.console(ending.signal);
  } finally {
    await demo.end();
  }
}

async function main(): Promise<void> {
  const start = Date.now();
  const demo = new DemoStandalone();
  const remove = (): void => void demo.end();
  process.once('SIGINT', remove).once('SIGTERM', remove);
  try {
    say(bold('Dimmer: the memory of running virtual machines, up and down'));
    say('   The guests are simulated; all else is the program as it ships, and real files.');
    await demo.start();
    for (const tell of [grow, shrink, refuse, findAnotherSet, spare, survive]) await tell(demo);
    say(`\n${bold('Everything came true')} (${((Date.now() - start) / 1000).toFixed(0)} s). For real:`);
    say(
      '   on a host with libvirt   docs/operations.md, "One host without a cluster": dimmer standalone --manifests DIR',
    );
    say('   on a cluster             docs/operations.md');
    say('   in the browser           npm run demo -- --console');
    say('   real guests on Debian    npm run demo:real   (as root; brings its own API server and libvirtd)');
  } finally {
    await demo.end();
  }
}

try {
  await (process.argv.includes('--console') ? play() : main());
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
