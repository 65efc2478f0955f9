/** `hosts`: their memory, and what waits for room. */
import { describeHosts } from '../../view/host-table.ts';
import type { Place } from '../command-line.ts';
import { type CommandIo, exitOk } from '../io.ts';
import { lines } from './lines.ts';
import { formatObject, listOf, runCommand } from './run-command.ts';
import { lookHere } from './terminal.ts';

/** Returns the exit code. */
export const runHosts = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.hosts, argv, io, place, async ({ given, backend }) => {
    const { hosts, resources } = await backend.hosts();
    const output = given.text('output');
    if (output === 'json' || output === 'yaml') {
      io.stdout.write(await formatObject(listOf(hosts.map(({ object }) => object)), output));
      return exitOk;
    }
    const known = resources?.map(({ resource }) => resource) ?? null;
    const own = hosts.map(({ resource }) => resource);
    io.stdout.write(
      own.length === 0
        ? 'There is no HypervisorHost.\n'
        : describeHosts(own, known, lookHere(), Date.now(), output === 'wide'),
    );
    return exitOk;
  });
