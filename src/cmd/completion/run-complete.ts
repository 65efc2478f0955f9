/**
 * `dimmer __complete WORD...`: what the scripts of shells ask. The answer has the lines of cobra's protocol, which kubectl
 * expects of a plugin's `kubectl_complete-NAME`: `VALUE<tab>ABOUT`, at the end `:DIRECTIVE`.
 */
import { type CommandIo, exitOk } from '../io.ts';
import { type Candidate, complete, type Completion } from './candidates.ts';
import { knownNames } from './names.ts';

/** ShellCompDirective of github.com/spf13/cobra: files, no files, folders only. */
const directives = { files: 0, words: 4, folders: 16 } as const satisfies Record<Completion['kind'], number>;
/** More isn't seen beside the words. */
const longestAbout = 70;

/** @param helpOf the text of `--help` of a command's words */
export async function runComplete(
  words: readonly string[],
  io: CommandIo,
  helpOf: (words: readonly string[]) => Promise<string>,
): Promise<number> {
  const completion = await complete(words, helpOf, knownNames);
  const candidates = completion.kind === 'words' ? completion.words : [];
  io.stdout.write([...candidates.map(formatCandidate), `:${directives[completion.kind]}`, ''].join('\n'));
  return exitOk;
}

function formatCandidate({ value, about }: Candidate): string {
  if (about === '') return value;
  return `${value}\t${about.length > longestAbout ? `${about.slice(0, longestAbout - 1)}…` : about}`;
}
