/** A resize on its way, told line by line until the guest has the size, can't have it, or the time is over. */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { Bytes } from '../../memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../memory/quantity.ts';
import { age, tellTimes } from '../../view/layout.ts';
import { nearestSizes } from '../../view/reachable.ts';
import { adviceFor, fullName, goesOn, readinessOf } from '../../view/subject.ts';
import { exitFailure, exitOk } from '../io.ts';
import { exitBlocked, exitWait } from '../plan/plan-exit.ts';
import type { Session } from './run-command.ts';
import { lookHere } from './terminal.ts';
import { wrap } from '../../memory/lines.ts';

const exitTimeout = 4;

export type Awaited = {
  readonly name: string;
  readonly memory: Bytes;
  /** As it was before the size was written. */
  readonly before: VirtualMachineMemory;
  /** The size stood there already. */
  readonly isAsked: boolean;
  readonly timeoutMs: number;
};

/** How it stands; `end`: the exit code, where it is over. */
export type Progress = { readonly text: string; readonly end: number | null };

/** What a resource says of the size that is waited for. Pure. */
export function judgeProgress(resource: VirtualMachineMemory | null, awaited: Awaited): Progress | null {
  const { memory, before, isAsked } = awaited;
  if (resource === null) return { text: 'It is gone.', end: exitFailure };
  const wanted = resource.spec.memory === undefined ? null : parseQuantity(String(resource.spec.memory));
  const isOurs = wanted?.ok === true && wanted.value === memory;
  if (!isOurs) {
    // Standalone hasn't read the manifest yet.
    if (!isAsked && resource.metadata.generation === before.metadata.generation) return null;
    return { text: `Somebody else asks for ${resource.spec.memory ?? 'nothing'} now.`, end: exitFailure };
  }
  const { ready, reason, message } = readinessOf(resource);
  if (ready === 'Unknown' && reason === 'NotLookedAtYet') return null;
  const current = resource.status?.memory?.current ?? '?';
  const text = `${current}, ${reason}: ${message}`;
  if (ready === 'True') return { text, end: exitOk };
  if (reason === 'Paused') return { text, end: exitWait };
  // A refusal is asked for again some time, but there is no set of modules now that makes the size.
  return { text, end: reason === 'GuestRefused' || !goesOn(reason) ? exitBlocked : null };
}

/** Follows it. Returns the exit code. */
export async function followResize({ backend, io }: Session, awaited: Awaited): Promise<number> {
  const { name, memory, timeoutMs } = awaited;
  const startMs = Date.now();
  const look = lookHere();
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort('timeout'), timeoutMs);
  const end = (): void => ending.abort();
  io.signal.addEventListener('abort', end);
  const elapsed = (): string => age(Date.now() - startMs);
  const tell = (text: string): void => {
    const [first = '', ...rest] = wrap(text, look.width - 8);
    io.stdout.write(
      `${[elapsed().padStart(6) + '  ' + first, ...rest.map((line) => ' '.repeat(8) + line)].join('\n')}\n`,
    );
  };
  let told = '';
  try {
    for await (const [seen] of backend.follow(fullName(awaited.before), ending.signal)) {
      if (ending.signal.aborted) break;
      const last = seen?.resource ?? null;
      const { problems, note } = backend.trouble(last);
      if (problems.length > 0) {
        tell(problems.join('; '));
        return exitBlocked;
      }
      const progress = judgeProgress(last, awaited);
      if (progress === null) {
        if (note === null) continue;
        tell(`Nobody reads it now: ${note}`);
        return exitWait;
      }
      if (progress.text !== told) tell(tellTimes(progress.text, Date.now()));
      told = progress.text;
      if (progress.end === null) continue;
      if (progress.end === exitBlocked && last !== null) io.stdout.write(explainEnd(last, memory));
      return progress.end;
    }
  } finally {
    clearTimeout(timer);
    io.signal.removeEventListener('abort', end);
    ending.abort();
  }
  if (io.signal.aborted) return exitFailure;
  tell(
    `The time is over, and it goes on; '${backend.place === 'cluster' ? 'kubectl dimmer' : 'dimmer'} why ${name}' says more.`,
  );
  return exitTimeout;
}

/** What can be had instead: never taken by itself. */
function explainEnd(resource: VirtualMachineMemory, memory: Bytes): string {
  const { reason } = readinessOf(resource);
  const near = resource.status?.reachable === undefined ? null : nearestSizes(resource.status.reachable);
  const help = adviceFor(reason);
  const parts = [
    `The guest doesn't have ${formatQuantity(memory)}, which is still asked for.`,
    ...(near === null ? [] : [`Sizes that can be had: ${near}.`]),
    ...(help === null ? [] : [`What would help: ${help}.`]),
  ];
  return `${wrap(parts.join(' '), lookHere().width).join('\n')}\n`;
}
