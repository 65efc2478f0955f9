/** `dimmer adopt`: manifests of the VMs that run on a host as they are now, so that a first apply changes nothing. */
import { type Adoption, judgeAdoption } from '../../adopt/judge.ts';
import { printable, writeManifest } from '../../adopt/manifest.ts';
import { nameManifests } from '../../adopt/names.ts';
import { compilePattern } from '../../agent/admission.ts';
import type { DomainObservation } from '../../host/port.ts';
import { systemClock } from '../../runtime/clock.ts';
import { describeError, writeFailure } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { findMachines } from './find-machines.ts';
import { findNamed, writeNew } from './manifest-files.ts';
import { type AdoptArguments, readAdoptArguments } from './options.ts';
import { adoptUsage } from './usage.ts';

/** Returns the exit code. */
export async function runAdopt(argv: readonly string[], io: CommandIo): Promise<number> {
  const read = readAdoptArguments(argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(adoptUsage);
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`dimmer adopt: ${read.problem}; 'dimmer adopt --help' says more\n`);
      return exitFailure;
    case 'run':
      try {
        return await adopt(read.options, io);
      } catch (error) {
        writeFailure(io.stderr, 'dimmer adopt', describeError(error), error, read.options.logLevel === 'debug');
        return exitFailure;
      }
    default:
      return read satisfies never;
  }
}

type Written = { readonly name: string; readonly observation: DomainObservation; readonly text: string };

async function adopt(options: AdoptArguments, io: CommandIo): Promise<number> {
  const { source, outputDir, namespace, hostRef } = options;
  const say = (who: string, what: string): unknown =>
    io.stderr.write(`dimmer adopt: ${printable(`${who}: ${what}`)}\n`);
  const { machines, unread } = await findMachines(source, compilePattern(options.allowDomains), io.signal);
  for (const { machine, why } of unread) say(machine.name, `no manifest: ${why}`);
  const atMs = systemClock.now();
  const shown = source.kind === 'libvirt' ? source.shown : source.address;
  const there =
    outputDir === null
      ? null
      : await findNamed(
          outputDir,
          machines.map(({ observation }) => observation.uuid),
        );
  const names = nameManifests(machines.map(({ observation }) => observation));
  const manifests: Written[] = [];
  for (const machine of machines) {
    const { observation } = machine;
    const known = there?.get(observation.uuid);
    if (known !== undefined) {
      say(observation.name, `no manifest: ${known} names it already`);
      continue;
    }
    const adoption = withNamespace(judgeAdoption(machine, options.includeClaimed), observation, namespace);
    if (adoption.kind === 'left') {
      say(observation.name, `no manifest: ${adoption.why}`);
      continue;
    }
    for (const { kind, text } of adoption.remarks) if (kind === 'warning') say(observation.name, text);
    const name = names.get(observation.uuid) ?? observation.uuid;
    const target = { name, namespace: namespace ?? observation.ownerNamespace, hostRef };
    const text = writeManifest(adoption, target, { machine: observation, source: shown, atMs });
    manifests.push({ name, observation, text });
  }
  if (manifests.length === 0) io.stderr.write(`dimmer adopt: no manifest is to be written for ${shown}\n`);
  if (outputDir === null) {
    io.stdout.write(manifests.map(({ text }) => text).join('---\n'));
    return exitOk;
  }
  let exit = exitOk;
  for (const { name, observation, text } of manifests) {
    const file = `${name}.yaml`;
    if (writeNew(outputDir, file, text)) io.stdout.write(`${file}\n`);
    else {
      exit = exitFailure;
      say(observation.name, `no manifest: ${file} is there already in ${outputDir}, and doesn't name it`);
    }
  }
  return exit;
}

/** A VM that is reserved is nobody else's, whatever a manifest says. */
function withNamespace(adoption: Adoption, { ownerNamespace }: DomainObservation, namespace: string | null): Adoption {
  if (adoption.kind === 'left' || ownerNamespace === null || namespace === null || namespace === ownerNamespace) {
    return adoption;
  }
  const text = `it is reserved for namespace ${ownerNamespace}: a resource in ${namespace} can't have it (VMNotFoundOrNotAllowed)`;
  return { ...adoption, remarks: [{ kind: 'warning', text }, ...adoption.remarks] };
}
