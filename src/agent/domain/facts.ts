/** Everything that was gathered about one domain, and what is read off it at once. */
import type { Region } from '../../host/rules/addresses.ts';
import type { DomainState } from '../../host/port.ts';
import { type Bytes, sumBytes } from '../../memory/bytes.ts';
import type { ModuleIdentity } from '../../memory/module.ts';
import type { DomainDescription, KeptState } from './description.ts';
import type { HeardReport } from './guest-reports.ts';
import type { RunningDomain } from './running-domain.ts';

/** Everything that was gathered about one domain. Its operation state is as the metadata says, marks not settled yet. */
export type DomainFacts = KeptState & {
  readonly memory: DomainDescription;
  readonly state: DomainState;
  /** null: the domain isn't running. */
  readonly run: RunningDomain | null;
  readonly statistics: HeardReport | null;
  readonly migrating: boolean;
  readonly ownerNamespace: string | null;
  /** The host's default huge page size; null: it has none. */
  readonly defaultHugePageSize: Bytes | null;
  /** The newest event before this was gathered; null: not known. */
  readonly asOfEvent: string | null;
};

/** Whether it has its place already: one that is being attached has none. */
export const isAddressed = <T extends { readonly slot: number | null; readonly base: Bytes | null }>(
  device: T,
): device is T & ModuleIdentity => device.slot !== null && device.base !== null;

/** Identities and sizes of the plugged modules of a running domain. */
export const modulesOf = (memory: DomainDescription) => memory.modules.filter(isAddressed);

/** What decides where a module is plugged. */
export const regionOf = ({ arch, boot, modules, others }: DomainDescription): Region => ({
  architecture: arch,
  bootMemory: sumBytes(boot.map(({ size }) => size)),
  devices: [
    ...modules.map(({ alias, base, size }) => ({ name: alias ?? 'dimm', base, size })),
    ...others.filter(({ model }) => model !== 'sgx-epc').map(({ model, base, size }) => ({ name: model, base, size })),
  ],
});
