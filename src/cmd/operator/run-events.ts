/** `events NAME`: what has happened to a VM. */
import { describeEvents } from '../../view/events.ts';
import type { Place } from '../command-line.ts';
import { type CommandIo, exitOk } from '../io.ts';
import { lines } from './lines.ts';
import { formatObject, runCommand } from './run-command.ts';
import { lookHere } from './terminal.ts';

/** Returns the exit code. */
export const runEvents = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.events, argv, io, place, async ({ given, backend }) => {
    const { events } = await backend.look(given.arguments[0] ?? '');
    const output = given.text('output');
    if (output === 'json' || output === 'yaml') io.stdout.write(await formatObject(events, output));
    else if (events.length === 0) io.stdout.write('No events are kept of it.\n');
    else io.stdout.write(describeEvents(events, lookHere(), Date.now(), output === 'wide'));
    return exitOk;
  });
