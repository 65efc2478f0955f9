/** `resize NAME SIZE`: shows the plan, asks, writes the size, and follows it until it is there. */
import { parseDurationMs } from '../../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../memory/quantity.ts';
import type { LivePlan } from '../../preview/live-plan.ts';
import { paint } from '../../view/layout.ts';
import type { OtherWriter } from '../../view/ownership.ts';
import { describePlan } from '../../view/plan-text.ts';
import { fullName } from '../../view/subject.ts';
import { type Given, type Place, programAt } from '../command-line.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { exitBlocked, exitOfPlan, exitWait } from '../plan/plan-exit.ts';
import type { Seen } from '../../operator/backend.ts';
import { lookFirst } from '../../operator/look-first.ts';
import { followResize } from './follow-resize.ts';
import { lines } from './lines.ts';
import { runCommand, type Session } from './run-command.ts';
import { canAsk, lookHere } from './terminal.ts';
import { judgeResize, writeSize } from '../../operator/write-size.ts';
import { wrap } from '../../memory/lines.ts';

/** Returns the exit code. */
export const runResize = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.resize, argv, io, place, resize);

async function resize(session: Session): Promise<number> {
  const { given, backend, io, place } = session;
  const [name = ''] = given.arguments;
  const memory = readSize(given);
  const timeoutMs = readTimeout(given);
  const seen = await lookFirst(backend, await backend.get(name), { memory }, io.signal);
  const { resource } = seen;
  const judged = judgeResize(resource, { memory });
  const look = lookHere();
  const say = (text: string): void => void io.stdout.write(`${wrap(text, look.width).join('\n')}\n`);

  io.stdout.write(judged.plan === null ? '' : `${describePlan(resource, judged.plan, look, Date.now())}\n`);
  if (judged.verdict === 'impossible') {
    const near = judged.plan === null ? '' : nearestOf(judged.plan);
    say(`Nothing is changed: ${formatQuantity(memory)} can't be had${near}.`);
    return exitBlocked;
  }
  for (const problem of judged.problems) say(problem);
  const isAsked = sizeOf(resource) === memory;
  if (!isAsked) {
    const may = await mayWrite(session, seen, memory);
    if (!may) return exitFailure;
    const set = await writeSize(backend, seen, { memory }, judged);
    if (set.outcome === 'changed') {
      throw new Error(`${fullName(resource)} was changed by somebody else meanwhile: look at it again`);
    }
    if (set.outcome === 'refused') {
      io.stderr.write(`${set.message}\n`);
      return exitBlocked;
    }
    say(`${fullName(resource)} asks for ${formatQuantity(memory)} now, ${set.by}.`);
  } else say(`${fullName(resource)} asks for ${formatQuantity(memory)} already.`);
  if (!given.has('wait')) {
    if (judged.plan?.plan.decision !== 'noop') {
      say(`'${programAt(place)} status ${name}' shows how far it is; --wait would have waited for it.`);
    }
    return judged.plan === null || exitOfPlan(judged.plan.plan) !== exitOk ? exitWait : exitOk;
  }
  return followResize(session, { name, memory, before: resource, isAsked, timeoutMs });
}

function nearestOf({ plan: { reachable } }: LivePlan): string {
  const sizes = [reachable.below, reachable.above].flatMap((size) => (size === null ? [] : [formatQuantity(size)]));
  if (sizes.length === 0) return '';
  return sizes.length === 1
    ? `; the nearest size is ${sizes.join()}`
    : `; the nearest sizes are ${sizes.join(' and ')}`;
}

/** Whether it is to be written: nobody else's size without --force-conflicts, and none without a yes. */
async function mayWrite({ given, backend, io }: Session, seen: Seen, memory: Bytes): Promise<boolean> {
  const look = lookHere();
  const others = given.has('force-conflicts') ? [] : backend.writers(seen);
  if (others.length > 0) {
    const text = wrap(warningOf(others), look.width - 9).map((line) => `         ${line}`);
    io.stdout.write(`${paint(look, 'yellow', 'WARNING')}${text.join('\n').slice(7)}\n`);
  }
  if (others.length === 0 && given.has('yes')) return true;
  if (!canAsk()) {
    io.stderr.write(
      others.length > 0
        ? 'Nothing is changed: where nobody can be asked, --force-conflicts says that it is meant.\n'
        : 'Nothing is changed: where nobody can be asked, --yes says that it is meant.\n',
    );
    return false;
  }
  const { ask } = await import('./ask.ts');
  const isMeant = await ask(`Resize ${fullName(seen.resource)} to ${formatQuantity(memory)}?`, io.signal);
  if (!isMeant) io.stdout.write('Nothing is changed.\n');
  return isMeant;
}

const warningOf = (others: readonly OtherWriter[]): string =>
  `${others.map(({ what }) => what).join('; ')}. What is changed here it will likely set back: change the size where it comes from.`;

function readSize(given: Given): Bytes {
  const parsed = parseQuantity(given.arguments[1] ?? '');
  if (!parsed.ok) throw new Error(`SIZE: ${parsed.error}`);
  return bytes(parsed.value);
}

function readTimeout(given: Given): number {
  const text = given.text('timeout') ?? '10m';
  const ms = parseDurationMs(text);
  if (ms === null) throw new Error(`--timeout: '${text.slice(0, 64)}' is not a duration (90s, 10m, 1h)`);
  return ms;
}

function sizeOf({ spec }: VirtualMachineMemory): Bytes | null {
  const parsed = spec.memory === undefined ? null : parseQuantity(String(spec.memory));
  return parsed?.ok === true ? parsed.value : null;
}
