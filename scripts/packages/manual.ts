/** Manual pages, from what the commands themselves say with `--help`: a second text would soon say something else. */
import type { Place } from '../../src/cmd/command-line.ts';
import { helpOf } from '../../src/cmd/program.ts';

/** A line that roff leaves as it is. */
const literal = (line: string): string =>
  line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
const verbatim = (text: string): string => `.nf\n${text.trimEnd().split('\n').map(literal).join('\n')}\n.fi`;

/** The page of a program, section 1; `place`: whose resources its commands speak of. */
export async function manualPage(program: string, place: Place): Promise<string> {
  const help = await helpOf([], place);
  const about = (/\n\n([^]+?)\n\nCommands:/.exec(help)?.[1] ?? '').replaceAll('\n', ' ');
  const names = [...help.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name = '']) => name);
  const commands = await Promise.all(
    names.map(async (name) => `.SH ${name.toUpperCase()}\n${verbatim(await helpOf([name], place))}`),
  );
  return [
    `.TH ${program.toUpperCase()} 1`,
    `.SH NAME\n${literal(program)} \\- ${literal(about.replace(/\.$/, ''))}`,
    `.SH SYNOPSIS\n${verbatim(help.slice(0, help.indexOf('\n')).replace('Usage: ', ''))}`,
    `.SH DESCRIPTION\n${verbatim(help.slice(help.indexOf('Commands:')))}`,
    ...commands,
    '',
  ].join('\n');
}
