/** `dimmer status`, `kubectl dimmer status`: what is there, for a person at a terminal or for a program. */
import type { ShownEvent } from '../../view/events.ts';
import { block, type Look, paint } from '../../view/layout.ts';
import { tableOfResources } from '../../view/resource-table.ts';
import { describeResource } from '../../view/status-text.ts';
import type { Place } from '../command-line.ts';
import { type CommandIo, exitOk } from '../io.ts';
import type { Backend, Seen } from '../../operator/backend.ts';
import { lines } from './lines.ts';
import { formatObject, listOf, runCommand, type Session } from './run-command.ts';
import { lookHere, redraw } from './terminal.ts';
import { withoutManagers } from '../../operator/shown-object.ts';
import { wrap } from '../../memory/lines.ts';

/** Ages on a screen are told anew this often; nobody is asked for that. */
const tickMs = 1_000;

/** Returns the exit code. */
export const runStatus = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.status, argv, io, place, serve);

/** What was found at one moment. `one`: it was asked for by name; null: it was, and is there no longer. */
type Snapshot =
  | { readonly kind: 'all'; readonly all: readonly Seen[] }
  | { readonly kind: 'one'; readonly one: Seen | null; readonly events: readonly ShownEvent[] };

async function serve(session: Session): Promise<number> {
  const { given, backend, io } = session;
  const [name = null] = given.arguments;
  const output = given.text('output');
  if (given.has('watch')) return watch(session, name);
  io.stdout.write(await format(await look(backend, name), output, backend, lookHere()));
  return exitOk;
}

async function look(backend: Backend, name: string | null): Promise<Snapshot> {
  if (name === null) return { kind: 'all', all: await backend.list() };
  const { seen, events } = await backend.look(name);
  return { kind: 'one', one: seen, events };
}

/** Shows it anew whenever it has changed; on a screen also as time goes by. */
async function watch({ given, backend, io }: Session, name: string | null): Promise<number> {
  const output = given.text('output');
  const isScreen = process.stdout.isTTY && output !== 'json' && output !== 'yaml';
  // One that isn't there is an error, and not waited for.
  let snapshot = await look(backend, name);
  let before = '';
  const show = async (): Promise<void> => {
    const text = await format(snapshot, output, backend, lookHere());
    if (isScreen) redraw(text);
    else if (text !== before) io.stdout.write(text);
    before = text;
  };
  const timer = isScreen ? setInterval(() => void show(), tickMs) : undefined;
  try {
    await show();
    for await (const seen of backend.follow(name, io.signal)) {
      const [one = null] = seen;
      snapshot =
        name === null
          ? { kind: 'all', all: seen }
          : { kind: 'one', one, events: one === null ? [] : await backend.events(one.resource) };
      await show();
    }
  } finally {
    clearInterval(timer);
  }
  return exitOk;
}

async function format(snapshot: Snapshot, output: string | null, backend: Backend, screen: Look): Promise<string> {
  if (output === 'json' || output === 'yaml') {
    const value =
      snapshot.kind === 'one' ? (snapshot.one?.object ?? {}) : listOf(snapshot.all.map(({ object }) => object));
    return formatObject(withoutManagers(value), output);
  }
  if (snapshot.kind === 'one') {
    const { one, events } = snapshot;
    if (one === null) return 'It is gone.\n';
    return describeResource(one.resource, events, screen, Date.now()) + describeTrouble(backend, one, screen);
  }
  const { all } = snapshot;
  const none =
    backend.place === 'standalone'
      ? 'No manifest of a VirtualMachineMemory counts.\n'
      : 'There is no VirtualMachineMemory; -A looks in all namespaces.\n';
  const body =
    all.length === 0
      ? none
      : tableOfResources(
          all.map(({ resource }) => resource),
          screen,
          output === 'wide',
        );
  return body + describeTrouble(backend, null, screen);
}

/** What is wrong besides. */
function describeTrouble(backend: Backend, one: Seen | null, look: Look): string {
  const { problems, note } = backend.trouble(one?.resource ?? null);
  const shown = problems.flatMap((problem) => {
    const [first = '', ...rest] = wrap(problem, look.width - 4);
    return [`  ${paint(look, 'red', '!')} ${first}`, ...rest.map((line) => `    ${line}`)];
  });
  const all = [
    ...block(look, 'Manifests that do not count', shown),
    ...(note === null ? [] : ['', `${paint(look, 'yellow', 'Note:')} ${note}`]),
  ];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}
