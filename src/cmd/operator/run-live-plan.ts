/** `plan NAME`: what would be done for a live resource. */
import type { GrowPolicy, Rounding, ShrinkPolicy } from '../../memory/policies.ts';
import { parseQuantity } from '../../memory/quantity.ts';
import type { StatusWish } from '../../preview/from-status.ts';
import { planToJson } from '../../preview/json.ts';
import { planLive } from '../../preview/live-plan.ts';
import { lookFirst } from '../../operator/look-first.ts';
import { describePlan } from '../../view/plan-text.ts';
import type { Given, Place } from '../command-line.ts';
import type { CommandIo } from '../io.ts';
import { exitOfPlan } from '../plan/plan-exit.ts';
import { lines } from './lines.ts';
import { formatObject, runCommand } from './run-command.ts';
import { lookHere } from './terminal.ts';

/** Returns the exit code. */
export const runLivePlan = (argv: readonly string[], io: CommandIo, place: Place): Promise<number> =>
  runCommand(lines.plan, argv, io, place, async ({ given, backend, io: { signal } }) => {
    const wish = readWish(given);
    const { resource } = await lookFirst(backend, await backend.get(given.arguments[0] ?? ''), wish, signal);
    const live = planLive(resource, wish);
    if (!live.ok) throw new Error(`no plan can be made: ${live.error}`);
    const { plan } = live.value;
    const output = given.text('output') ?? 'text';
    io.stdout.write(
      output === 'json' || output === 'yaml'
        ? await formatObject(planToJson(plan), output)
        : describePlan(resource, live.value, lookHere(), Date.now()),
    );
    return exitOfPlan(plan);
  });

/** @throws Error that names the option */
function readWish(given: Given): StatusWish {
  const memory = given.text('memory');
  const parsed = memory === null ? null : parseQuantity(memory);
  if (parsed?.ok === false) throw new Error(`--memory: ${parsed.error}`);
  // The command line has only such values.
  const [shrink, grow, rounding] = [given.text('shrink'), given.text('grow'), given.text('rounding')];
  return {
    ...(parsed === null ? {} : { memory: parsed.value }),
    ...(shrink === null ? {} : { shrink: shrink as ShrinkPolicy }),
    ...(grow === null ? {} : { grow: grow as GrowPolicy }),
    ...(rounding === null ? {} : { rounding: rounding as Rounding }),
  };
}
