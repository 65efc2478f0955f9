/** `why NAME`: one paragraph. */
import { explainResource } from '../../view/why-text.ts';
import type { Place } from '../command-line.ts';
import { type CommandIo, exitOk } from '../io.ts';
import { lines } from './lines.ts';
import { runCommand } from './run-command.ts';
import { lookHere } from './terminal.ts';

/** Returns the exit code. */
export const runWhy = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.why, argv, io, place, async ({ given, backend }) => {
    const { resource } = await backend.get(given.arguments[0] ?? '');
    const { problems, note } = backend.trouble(resource);
    const besides = [
      ...problems.map((problem) => `Its manifest doesn't count: ${problem}.`),
      ...(note === null ? [] : [`Note: ${note}`]),
    ];
    io.stdout.write(explainResource(resource, besides, lookHere(), Date.now()));
    return exitOk;
  });
