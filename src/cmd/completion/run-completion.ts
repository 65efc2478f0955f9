/** `dimmer completion SHELL`: prints the script that a shell loads. */
import { readArguments } from '../arguments.ts';
import { layOutHelp } from '../help.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { completionScripts, shells } from './scripts.ts';

const usage = layOutHelp({
  usage: ['dimmer completion bash|zsh|fish|kubectl'],
  about: [
    'Prints a script that lets a shell complete commands, options and the names of resources. It asks the program itself at every key, so that it needs no update.',
  ],
  options: [],
  lists: [
    {
      title: 'How a shell loads it',
      items: [
        { term: 'bash', about: 'source <(dimmer completion bash), in ~/.bashrc' },
        { term: 'zsh', about: 'source <(dimmer completion zsh), in ~/.zshrc after compinit' },
        { term: 'fish', about: 'dimmer completion fish | source, in ~/.config/fish/config.fish' },
        {
          term: 'kubectl',
          about:
            "for 'kubectl dimmer' in all of them: a program for a directory of the PATH, named kubectl_complete-dimmer",
        },
      ],
    },
  ],
  examples: ['dimmer completion bash', 'dimmer completion kubectl > ~/.local/bin/kubectl_complete-dimmer'],
  end: ['It exits with 0, and with 1 on bad usage.'],
});

/** Returns the exit code. */
export function runCompletion(argv: readonly string[], io: CommandIo): Promise<number> {
  const bad = (problem: string): Promise<number> => {
    io.stderr.write(`dimmer completion: ${problem}; 'dimmer completion --help' says more\n`);
    return Promise.resolve(exitFailure);
  };
  const read = readArguments(argv, { help: { type: 'boolean' } }, true);
  if (!read.ok) return bad(read.error);
  if (read.value.values['help'] === true) {
    io.stdout.write(usage);
    return Promise.resolve(exitOk);
  }
  const [name, ...others] = read.value.positionals;
  const shell = shells.find((known) => known === name);
  if (shell === undefined || others.length > 0) return bad(`takes one of ${shells.join(', ')}`);
  io.stdout.write(completionScripts[shell]);
  return Promise.resolve(exitOk);
}
