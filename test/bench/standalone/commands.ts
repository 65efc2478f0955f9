/** Commands at a terminal, from the start of the process to its end: what a person waits for. */
import { spawnSync } from 'node:child_process';
import { builtMain } from '../../support/built-program.ts';
import { summaryRow } from '../summary.ts';

const runs = 20;
const offline = ['--boot', '1Gi', '--modules', '384Mi,256Mi,256Mi', '--memory', '1408Mi'];

function measure(args: readonly string[]): number[] {
  const durationsMs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const startedAt = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [builtMain, ...args], { encoding: 'utf8' });
    durationsMs.push(performance.now() - startedAt);
    if (status !== 0) throw new Error(`dimmer ${args.join(' ')} ended with ${String(status)}: ${stderr}`);
  }
  return durationsMs;
}

/** Each some times in a row. @param stateDir of a standalone with VMs. @param name of one of them */
export function benchCommands(stateDir: string, name: string): void {
  const commands: Readonly<Record<string, readonly string[]>> = {
    'dimmer --help': ['--help'],
    'dimmer plan': ['plan', ...offline],
    'dimmer plan -o json': ['plan', ...offline, '-o', 'json'],
    'dimmer status': ['status', '--state-dir', stateDir],
    'dimmer status NAME': ['status', name, '--state-dir', stateDir],
    'dimmer status -o yaml': ['status', '-o', 'yaml', '--state-dir', stateDir],
  };
  for (const [what, args] of Object.entries(commands)) {
    console.log(`${summaryRow(`${what}: start to end`, measure(args))} (aim: below 150)`);
  }
}
