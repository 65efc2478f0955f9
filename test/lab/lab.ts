import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { startGuest } from './guest.ts';
import type { GuestOptions, LabGuest } from './guest-types.ts';
import { type LabHypervisor, startHypervisor } from './hypervisor.ts';
import type { HypervisorOptions } from './hypervisor-config.ts';
import { shareControlPlane } from './shared-planes.ts';

export type LabOptions = {
  /** Left out: no control plane. `shared`: one with deploy/, which other test files have before and after. */
  readonly controlPlane?: ControlPlaneOptions | 'shared';
  /** Left out: the default hypervisor. null: none, and no guests. */
  readonly hypervisor?: HypervisorOptions | null;
  readonly guests?: readonly GuestOptions[];
};

/** A control plane, a hypervisor and guests, all of one test's own. */
export type Lab = {
  /** Throws when the lab was started without one. */
  readonly controlPlane: ControlPlane;
  /** Throws when the lab was started without one. */
  readonly hypervisor: LabHypervisor;
  /** In the order of the options. */
  readonly guests: readonly LabGuest[];
  /** The one guest of a kind; throws when there is none or more than one. */
  readonly guest: (kind: LabGuest['kind']) => LabGuest;
  /** Ends everything and removes its files. */
  readonly stop: () => Promise<void>;
};

const GUESTS_AT_ONCE = 2;

/** Starts the pieces side by side, guests two at a time. When one fails, the others are ended before this throws. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const [controlPlane, hypervisor] = await Promise.allSettled([
    findControlPlane(options.controlPlane),
    options.hypervisor === null
      ? { hypervisor: undefined, guests: [] }
      : startHypervisorWithGuests(options.hypervisor ?? {}, options.guests ?? []),
  ]);
  if (controlPlane.status === 'rejected' || hypervisor.status === 'rejected') {
    if (controlPlane.status === 'fulfilled') await controlPlane.value?.stop();
    if (hypervisor.status === 'fulfilled') await hypervisor.value.hypervisor?.stop();
    const reasons: unknown[] = [];
    for (const piece of [controlPlane, hypervisor]) if (piece.status === 'rejected') reasons.push(piece.reason);
    throw reasons.length === 1 ? reasons[0] : new AggregateError(reasons, reasons.map(String).join('\n'));
  }
  return labOf(controlPlane.value, hypervisor.value.hypervisor, hypervisor.value.guests);
}

async function findControlPlane(options: LabOptions['controlPlane']): Promise<ControlPlane | undefined> {
  if (options === 'shared') return shareControlPlane();
  return options === undefined ? undefined : startControlPlane(options);
}

function labOf(
  controlPlane: ControlPlane | undefined,
  hypervisor: LabHypervisor | undefined,
  guests: readonly LabGuest[],
): Lab {
  return {
    get controlPlane() {
      if (controlPlane === undefined) throw new Error('this lab was started without a control plane');
      return controlPlane;
    },
    get hypervisor() {
      if (hypervisor === undefined) throw new Error('this lab was started without a hypervisor');
      return hypervisor;
    },
    guests,
    guest: (kind) => {
      const [guest, ...others] = guests.filter((candidate) => candidate.kind === kind);
      if (guest === undefined || others.length > 0) throw new Error(`the lab has not one ${kind} guest`);
      return guest;
    },
    stop: async () => {
      await Promise.all([controlPlane?.stop(), hypervisor?.stop()]);
    },
  };
}

async function startHypervisorWithGuests(
  options: HypervisorOptions,
  guestOptions: readonly GuestOptions[],
): Promise<{ hypervisor: LabHypervisor; guests: LabGuest[] }> {
  const hypervisor = await startHypervisor(options);
  try {
    return { hypervisor, guests: await startGuests(hypervisor, guestOptions) };
  } catch (error) {
    await hypervisor.stop();
    throw error;
  }
}

/** Starts guests two at a time: on two cores more at once are slower in all. Gives them in the order of the options. */
export async function startGuests(hypervisor: LabHypervisor, options: readonly GuestOptions[]): Promise<LabGuest[]> {
  const guests: LabGuest[] = [];
  const waiting = [...options.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, guest] = next;
      guests[index] = await startGuest(hypervisor, guest);
    }
  };
  await Promise.all(Array.from({ length: GUESTS_AT_ONCE }, worker));
  return guests;
}
