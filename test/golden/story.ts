/** Tells a story: plan, simulate, plan again until it settles. */
import { readBatchLine } from '../../src/preview/batch-line.ts';
import { buildRequest } from '../../src/preview/from-numbers.ts';
import type { Bytes } from '../../src/memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../src/memory/quantity.ts';
import { computePlan } from '../../src/planner/plan.ts';
import { applyRefusal, applyStep, applyUnplugRequest } from '../../src/planner/simulate.ts';
import type { Plan, PlannerObservation, PlanRequest, PlanStep, UnplugStep } from '../../src/planner/types.ts';

/** What the guest does when it is asked for a module. */
export type Answer = 'gives' | 'refuses' | 'is silent';

export type Change = (observation: PlannerObservation) => PlannerObservation;

/** Something that happens when nothing else can be done. */
export type Happening = {
  readonly told: string;
  /** Another size is wanted from now on. */
  readonly wanted?: string;
  readonly change?: Change;
};

export type Story = {
  /** Also the name of the transcript. */
  readonly name: string;
  readonly tale: string;
  /** A line as `dimmer plan --batch` takes it. */
  readonly vm: Readonly<Record<string, unknown>>;
  /** Answers by slot, one after the other; when they run out the guest gives. */
  readonly guest?: Readonly<Record<number, readonly Answer[]>>;
  readonly then?: readonly Happening[];
  /** What a line of `dimmer plan --batch` can't say of the guest at the beginning. */
  readonly begin?: Change;
};

const maxRounds = 20;

export function size(text: string): Bytes {
  const parsed = parseQuantity(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const totalOf = ({ boot, modules }: PlannerObservation): string =>
  formatQuantity([...boot, ...modules].reduce((sum, part) => sum + part.size, 0) as Bytes);

/** The transcript of a story. */
export function tell(story: Story): string {
  return new Teller(story).tell();
}

class Teller {
  private readonly lines: string[] = [];
  private readonly answers: Map<number, Answer[]>;
  private readonly happenings: Happening[];
  private request: PlanRequest;
  private readonly story: Story;

  constructor(story: Story) {
    this.story = story;
    const line = readBatchLine(JSON.stringify(story.vm));
    if (!line.ok) throw new Error(`${story.name}: ${line.error}`);
    const built = buildRequest(line.input);
    if (!built.ok) throw new Error(`${story.name}: ${built.error.field}: ${built.error.problem}`);
    const { observation } = built.value;
    this.request = { ...built.value, observation: story.begin?.(observation) ?? observation };
    this.answers = new Map(Object.entries(story.guest ?? {}).map(([slot, answers]) => [Number(slot), [...answers]]));
    this.happenings = [...(story.then ?? [])];
  }

  tell(): string {
    this.lines.push(this.story.name, '='.repeat(this.story.name.length), this.story.tale, '', ...this.introduce());
    for (let round = 1; round <= maxRounds; round++) {
      const plan = this.plan(round);
      if (plan.steps.length > 0) {
        this.carryOut(plan.steps);
        continue;
      }
      if (plan.askAgain !== undefined && this.askAgain(plan.askAgain.slot)) continue;
      const next = this.happenings.shift();
      if (next === undefined) {
        this.lines.push('', `The end: ${plan.reason}, the guest has ${totalOf(this.request.observation)}.`, '');
        return this.lines.join('\n');
      }
      this.happen(next);
    }
    throw new Error(`${this.story.name} doesn't settle:\n${this.lines.join('\n')}`);
  }

  private introduce(): string[] {
    const { observation, policy, desired } = this.request;
    const { boot, modules, slots, maxMemory, granularity } = observation;
    const nodes = boot.map((node) => formatQuantity(node.size)).join(' + ');
    const many = boot.length > 1;
    const list = modules.map((module) => {
      const notes = [
        ...(many ? [`node ${module.node}`] : []),
        ...(module.state === 'Leaving' ? ['leaving'] : []),
        ...(module.quarantined ? ['quarantined'] : module.refusals > 0 ? ['refused before'] : []),
      ];
      return `${module.slot}: ${formatQuantity(module.size)}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
    });
    const limit = typeof maxMemory === 'number' ? formatQuantity(maxMemory) : maxMemory;
    return [
      `boot memory ${nodes}, modules by slot: ${list.length === 0 ? 'none' : list.join(', ')}`,
      `${slots.total} slots, maximum ${limit}, blocks of ${formatQuantity(granularity)}`,
      `the guest has ${totalOf(observation)}; wanted is ${formatQuantity(desired)} (${policy.shrink}, ${policy.grow}, guest safety ${policy.guestSafety})`,
    ];
  }

  private plan(round: number): Plan {
    const result = computePlan(this.request);
    if (!result.ok) throw new Error(`${this.story.name}: ${result.error.field}: ${result.error.problem}`);
    const plan = result.value;
    const { below, above, ranges, complete } = plan.reachable;
    const name = (value: Bytes | null): string => (value === null ? 'nothing' : formatQuantity(value));
    const listed = ranges.map(({ from, to, step }) =>
      from === to ? formatQuantity(from) : `${formatQuantity(from)}..${formatQuantity(to)} by ${formatQuantity(step)}`,
    );
    this.lines.push(
      '',
      `${round}. ${plan.decision} (${plan.reason}): ${plan.message}`,
      `   reachable: ${name(below)} below, ${name(above)} above; by unplugging ${listed.join(', ')}${complete ? '' : ' (not all)'}`,
    );
    return plan;
  }

  private carryOut(steps: readonly PlanStep[]): void {
    for (const step of steps) {
      if (step.operation === 'unplug') {
        if (!this.ask(step)) return;
        continue;
      }
      const where = this.request.observation.boot.length > 1 ? ` on node ${step.node}` : '';
      const waits = step.waitForOnline ? ', once the guest has onlined what came before' : '';
      this.become(applyStep(this.request.observation, step));
      this.say(`plug ${formatQuantity(step.size)} into slot ${step.slot}${where}${waits}`);
    }
  }

  /** Whether the guest gave the module. */
  private ask(step: UnplugStep): boolean {
    const answer = this.answers.get(step.slot)?.shift() ?? 'gives';
    const asked = `unplug ${formatQuantity(step.size)} from slot ${step.slot}`;
    switch (answer) {
      case 'gives':
        this.become(applyStep(this.request.observation, step));
        this.say(asked);
        return true;
      case 'refuses':
        this.become(applyRefusal(this.request.observation, step.slot, 'a later time'));
        this.say(`${asked}: the guest refuses`);
        return false;
      case 'is silent':
        this.become(applyUnplugRequest(this.request.observation, step));
        this.say(`${asked}: the guest is silent`);
        return false;
      default:
        return answer satisfies never;
    }
  }

  /** Asks for a leaving module again, if the story has another answer for it. */
  private askAgain(slot: number): boolean {
    const module = this.request.observation.modules.find((candidate) => candidate.slot === slot);
    const answers = this.answers.get(slot) ?? [];
    if (module === undefined || answers.length === 0) return false;
    this.lines.push('   (asked again)');
    this.ask({ ...module, operation: 'unplug', minUsableAfter: null });
    return true;
  }

  private happen({ told, wanted, change }: Happening): void {
    this.lines.push('', `   ${told}`);
    if (wanted !== undefined) this.request = { ...this.request, desired: size(wanted) };
    if (change !== undefined) this.become(change(this.request.observation));
  }

  private become(observation: PlannerObservation): void {
    this.request = { ...this.request, observation };
  }

  private say(text: string): void {
    this.lines.push(`   - ${text}: the guest has ${totalOf(this.request.observation)}`);
  }
}

/** The module of a slot left after all. */
export const leaves =
  (slot: number): Change =>
  (observation) => {
    const module = observation.modules.find((candidate) => candidate.slot === slot);
    if (module === undefined) throw new Error(`no module in slot ${slot}`);
    return applyStep(observation, { ...module, operation: 'unplug', minUsableAfter: null });
  };

/** The guest says no to what it was silent about. */
export const refusesAfterAll =
  (slot: number): Change =>
  (observation) =>
    applyRefusal(observation, slot, 'a later time');

/** Every quarantine is over. */
export const quarantineEnds: Change = (observation) => ({
  ...observation,
  modules: observation.modules.map((module) => ({ ...module, quarantined: false, retryAfter: null })),
});
