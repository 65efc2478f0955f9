/** What a manifest would say of a VM as it is now, and what is to be known about it first. Pure. */
import { explainGuestAgent, explainSilence, explainSlots, givesNothingBack } from '../host/rules/readiness.ts';
import { totalOf } from '../host/rules/total.ts';
import type { DomainObservation, MemoryLayout } from '../host/port.ts';
import { type Bytes, bytes, floorTo, isMultipleOf, mib, sumBytes, TiB } from '../memory/bytes.ts';
import { defaultGranularity } from '../memory/granularity.ts';
import { isOwnAlias } from '../memory/module.ts';
import { formatMeasured, formatQuantity } from '../memory/quantity.ts';

/** A VM as it was found. */
export type FoundMachine = {
  readonly observation: DomainObservation;
  /** Gone once it is shut off; null: not known. */
  readonly transient: boolean | null;
};

/** `warning`: something can't be had, or will be otherwise than expected. */
export type Remark = { readonly kind: 'warning' | 'note'; readonly text: string };

export type Adoption =
  | {
      readonly kind: 'manifest';
      /** What `spec.memory` says; null: the VM can only be observed. */
      readonly memory: string | null;
      /** The memory stands between whole MiB, and `rounding: Up` is what makes it of `memory`. */
      readonly rounded: boolean;
      /** What the VM has, in a few words. */
      readonly summary: string;
      readonly remarks: readonly Remark[];
    }
  /** There is nothing to write. */
  | { readonly kind: 'left'; readonly why: string };

/** Bounds of `spec.memory` (crds/). */
const least = mib(64);
const most = bytes(64 * TiB);
/** libvirt rounds NUMA cells and the balloon's size not: so little is nobody's doing (as controllers/memory/balloon.ts). */
const balloonTolerance = mib(16);

const warning = (text: string): Remark => ({ kind: 'warning', text });
const note = (text: string): Remark => ({ kind: 'note', text });

/** @param includeClaimed whether one is written for a VM that Dimmer acts on already */
export function judgeAdoption(machine: FoundMachine, includeClaimed: boolean): Adoption {
  const { state, layout, claim } = machine.observation;
  if (layout === null) return { kind: 'left', why: `it is ${state}: its memory is known only while it runs` };
  if (claim !== null && !includeClaimed) {
    return {
      kind: 'left',
      why: `${describeClaim(claim)}: there is a manifest of it somewhere (--include-claimed writes one all the same)`,
    };
  }
  const { memory, rounded, remarks } = wishOf(layout);
  return {
    kind: 'manifest',
    memory,
    rounded,
    summary: summarise(layout),
    remarks: [...remarks, ...judgeMachine(machine, layout)],
  };
}

const describeClaim = ({ objectUid, clusterId, namespace }: NonNullable<DomainObservation['claim']>): string =>
  `VirtualMachineMemory ${objectUid} in namespace ${namespace} of cluster ${clusterId} has it`;

/** What the VM is going to have when nothing is done: what leaves already isn't wanted back. */
const stayingTotal = (layout: MemoryLayout): Bytes =>
  bytes(totalOf({ ...layout, modules: layout.modules.filter(({ state }) => state === 'Plugged') }));

type Wish = { readonly memory: string | null; readonly rounded: boolean; readonly remarks: readonly Remark[] };

/** The `spec.memory` that changes nothing. */
function wishOf(layout: MemoryLayout): Wish {
  const total = stayingTotal(layout);
  const observed = (why: string): Wish => ({
    memory: null,
    rounded: false,
    remarks: [warning(`${why}: without spec.memory it is observed only`)],
  });
  if (total < least || total > most) {
    return observed(`it has ${formatQuantity(total)}, and spec.memory goes from 64Mi to 64Ti`);
  }
  if (isMultipleOf(total, mib(1))) return { memory: formatQuantity(total), rounded: false, remarks: [] };
  // planner/rounding.ts: up to the next whole step above what can't be taken. The floor is above that, or it isn't rounded.
  const boot = sumBytes(layout.boot.map(({ size }) => size));
  const plugged = total - boot - layout.otherTotal;
  const block = layout.granularity ?? defaultGranularity(layout.architecture, boot);
  if (plugged === 0 || !isMultipleOf(plugged as Bytes, block)) {
    return observed(`it has ${formatQuantity(total)}, and spec.memory is a whole number of MiB`);
  }
  const memory = formatQuantity(floorTo(total, mib(1)));
  return {
    memory,
    rounded: true,
    remarks: [
      note(`it has ${formatQuantity(total)}; spec.memory is whole MiB, and rounding Up makes that of ${memory}`),
    ],
  };
}

function summarise({ boot, modules, otherTotal, maxMemory, slots }: MemoryLayout): string {
  const parts = [`${formatQuantity(sumBytes(boot.map(({ size }) => size)))} since its start`];
  const sizes = modules.map(({ size }) => formatQuantity(size));
  if (sizes.length > 0)
    parts.push(`${sizes.length === 1 ? 'a module' : `${sizes.length} modules`} (${sizes.join(', ')})`);
  if (otherTotal > 0) parts.push(`${formatQuantity(otherTotal)} of other devices`);
  const bound = maxMemory === null ? '' : `; at most ${formatQuantity(maxMemory)}, in ${slots.total} slots`;
  return parts.join(' and ') + bound;
}

/** What stands in the way of changing it later, or of keeping it as it is. */
function judgeMachine({ observation, transient }: FoundMachine, layout: MemoryLayout): readonly Remark[] {
  const { claim, migrating } = observation;
  const remarks: Remark[] = [];
  if (claim !== null) {
    remarks.push(warning(`${describeClaim(claim)}: this manifest changes nothing before that one is given up`));
  }
  if (layout.hotplugProblem !== null) remarks.push(warning(`it can't be given more memory: ${layout.hotplugProblem}`));
  else if (layout.maxMemory === null) {
    remarks.push(warning('it can\'t be given more memory: the domain has no <maxMemory slots="...">'));
  } else {
    const { slots, modules } = layout;
    const used = modules.length + slots.usedByOthers.length + slots.unnumbered;
    const noSlot = explainSlots({ slots: { total: slots.total, used } });
    if (noSlot !== null) remarks.push(warning(noSlot));
  }
  if (layout.hidden !== null) remarks.push(warning(layout.hidden.why));
  remarks.push(...judgeGuest(observation, layout), ...judgeModules(layout));
  const held = totalOf(layout) - layout.balloon;
  if (held > balloonTolerance && layout.otherBytes === 0) {
    remarks.push(
      warning(
        `its balloon holds ${formatMeasured(bytes(held))} back from the guest: it is going to say BalloonInflated, and isn't Ready before that is let go`,
      ),
    );
  }
  if (migrating) remarks.push(warning('it is migrating: nothing is done before that is over'));
  if (transient === true) {
    remarks.push(
      warning('it is transient: once it is shut off it is gone, and another one of its name is another VM to Dimmer'),
    );
  }
  return remarks;
}

/** What is known of the guest beforehand, in the words of HotplugReady and of `dimmer agent check`. */
function judgeGuest({ guest, guestAgent }: DomainObservation, layout: MemoryLayout): readonly Remark[] {
  const remarks: Remark[] = [];
  const { balloonDevice } = layout;
  // Whoever serves the VM switches its statistics on.
  if (guest?.fresh !== true && balloonDevice !== 'StatisticsOff') {
    remarks.push(warning(`${explainSilence(balloonDevice)}; with modules it is going to say GuestMemoryUnknown`));
  }
  const agent = explainGuestAgent(guestAgent);
  if (agent !== '') remarks.push(warning(agent));
  if (layout.guestSystem === 'Windows') remarks.push(note(givesNothingBack));
  return remarks;
}

function judgeModules(layout: MemoryLayout): readonly Remark[] {
  const { modules, boot, architecture, otherTotal, otherBytes } = layout;
  const remarks: Remark[] = [];
  const block = layout.granularity ?? defaultGranularity(architecture, sumBytes(boot.map(({ size }) => size)));
  const named = (some: MemoryLayout['modules']): string =>
    some.map(({ slot, size }) => `${formatQuantity(size)} in slot ${slot}`).join(', ');
  const odd = modules.filter(({ size }) => !isMultipleOf(size, block));
  if (odd.length > 0) {
    remarks.push(
      warning(
        `not whole blocks of the guest's memory (${formatQuantity(block)}): ${named(odd)}; the guest may not take that up, which is told as GuestNotOnlined`,
      ),
    );
  }
  const leaving = modules.filter(({ state }) => state === 'Leaving');
  if (leaving.length > 0) remarks.push(warning(`asked to leave, and not wanted back: ${named(leaving)}`));
  const foreign = modules.filter(({ alias }) => !isOwnAlias(alias));
  if (foreign.length > 0) {
    remarks.push(
      note(
        `not plugged by Dimmer: ${named(foreign)}; a shrink may take it, deletionPolicy Release leaves it where it is`,
      ),
    );
  }
  if (otherTotal > 0 || otherBytes > 0) {
    remarks.push(
      note('it has memory of other devices (NVDIMM, virtio-mem and the like), which counts and is never touched'),
    );
  }
  return remarks;
}
