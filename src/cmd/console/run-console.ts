/** `dimmer console`, `kubectl dimmer console`: a page for the one who sits at this terminal. */
import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import type { ConsoleBackend } from '../../console/backend.ts';
import { isLoopbackName } from '../../console/http/guard.ts';
import { loadPageFiles } from '../../console/http/page-files.ts';
import { createConsoleServer } from '../../console/http/server.ts';
import { Sessions } from '../../console/sessions.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Given, type Place, programAt, readCommandLine, usageOf } from '../command-line.ts';
import { describeError } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { lines } from '../operator/lines.ts';
import { clusterOf, stateDirOf } from '../operator/open-backend.ts';
import { version } from '../version.ts';
import { linkNameOf, namesOf, readListening } from './options.ts';

/** Returns the exit code. */
export async function runConsole(argv: readonly string[], io: CommandIo, place: Place): Promise<number> {
  const name = `${programAt(place)} console`;
  const read = readCommandLine(lines.console, place, argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(usageOf(lines.console, place));
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`${name}: ${read.problem}; '${name} --help' says more\n`);
      return exitFailure;
    case 'run':
      try {
        await serve(read.given, io, place);
        return exitOk;
      } catch (error) {
        io.stderr.write(`${name}: ${describeError(error)}\n`);
        return exitFailure;
      }
    default:
      return read satisfies never;
  }
}

async function serve(given: Given, io: CommandIo, place: Place): Promise<void> {
  const listening = readListening(given);
  if (isFile(1)) throw new Error('the link is for a terminal: a file would keep it');
  const files = await loadPageFiles();
  const backend = await openConsole(place, given);
  const sessions = new Sessions({ clock: systemClock, random: randomBytes });
  const { tls, hosts } = listening;
  const server = createConsoleServer({
    ...{ backend, sessions, files, tls, clock: systemClock },
    isOurName: tls === null ? isLoopbackName : namesOf(tls.cert),
  });
  try {
    await backend.start();
    const { port } = await server.listen(hosts, listening.port);
    const scheme = tls === null ? 'http' : 'https';
    // After the `#`, so that it is sent to nobody: the page alone reads it, and takes it away.
    const link = (): string => `${scheme}://${linkNameOf(listening)}:${port}/#code=${sessions.newCode()}`;
    io.stdout.write(
      `Open this link within a minute; it works once:\n\n  ${link()}\n\nEnter prints another, Ctrl-C ends the console.\n`,
    );
    const stopListening = onEnter(io, () => io.stdout.write(`  ${link()}\n`));
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      io.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stopListening();
  } finally {
    await server.close();
    await backend.close();
  }
}

/** What a place needs is loaded only for it. */
async function openConsole(place: Place, given: Given): Promise<ConsoleBackend> {
  const common = { version, clock: systemClock };
  if (place === 'standalone') {
    const { StandaloneBackend } = await import('../../operator/standalone-backend.ts');
    const { StandaloneConsole } = await import('../../console/standalone/standalone-console.ts');
    const backend = new StandaloneBackend(stateDirOf(given), given.text('manifests'));
    return new StandaloneConsole({ backend, ...common });
  }
  const { ClusterConsole } = await import('../../console/cluster/cluster-console.ts');
  return new ClusterConsole({ place: clusterOf(given), random: Math.random, ...common });
}

/** Calls `print` for every line that is typed. Returns what ends that. */
function onEnter({ stdin }: CommandIo, print: () => void): () => void {
  const hear = (text: Buffer | string): void => {
    if (text.toString().includes('\n')) print();
  };
  // A terminal that is closed; the page goes on.
  stdin.on('error', () => undefined);
  stdin.on('data', hear);
  return () => {
    stdin.off('data', hear);
    stdin.pause();
  };
}

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
}
