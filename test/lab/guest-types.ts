import type { GuestNode } from './guest-xml.ts';
import type { ShellResult } from './guest-shell.ts';

/**
 * How a guest meets a request to give a module back.
 * - `accepting`: gives it back within a quarter of a second.
 * - `refusing`: its kernel vetoes every offlining (memory notifier error injection); libvirt says device-removal-failed.
 * - `mixed`: as `accepting`, but what is plugged after `onlineAs('kernel')` is used by the kernel and refused.
 * - `silent`: keeps a page of every module out of reach of migration and never answers, until `letGo()`.
 * - `no-os`: has no operating system.
 */
export type GuestKind = 'accepting' | 'refusing' | 'mixed' | 'silent' | 'no-os';

export type GuestOptions = {
  readonly kind: GuestKind;
  /** Unique on the hypervisor; made up when left out. */
  readonly name?: string;
  readonly uuid?: string;
  /** Boot memory by NUMA node; one node of 512 MiB and one virtual CPU when left out. */
  readonly nodes?: readonly GuestNode[];
  readonly slots?: number;
  /** 8192 when left out; null for a domain that takes no modules. */
  readonly maxMemoryMib?: number | null;
  /** A balloon device, the source of memory statistics; true when left out. */
  readonly balloon?: boolean;
  /** Whether the guest loads the balloon's driver; true when left out. */
  readonly balloonDriver?: boolean;
  /** A shell for people on a third serial port (`virsh console NAME serial2`); false when left out. */
  readonly terminal?: boolean;
  /** Debian's qemu-guest-agent lies in it, and the domain has the channel (`startGuestAgent`); false when left out. */
  readonly guestAgent?: boolean;
  readonly kernelArgs?: readonly string[];
  readonly extraXml?: string;
  readonly extraDevicesXml?: string;
  /** Boot it in any case, where others are restored from the state in which one like it had just booted. */
  readonly boots?: boolean;
  /** Only define the domain; false when left out. */
  readonly leaveOff?: boolean;
};

/** Memory that a process in the guest really uses. */
export type MemoryUse = {
  readonly pid: number;
  readonly isAlive: () => Promise<boolean>;
  readonly free: () => Promise<void>;
};

/** A file in the guest's memory. */
export type TmpfsUse = {
  /** Whether what was written is still in it, by samples from one end to the other. */
  readonly isWhole: () => Promise<boolean>;
  readonly free: () => Promise<void>;
};

/** What somebody in the guest saw of its clock, in ms. */
export type ClockWatch = {
  /** For how long it looked, by the guest's clock. */
  readonly guestMs: number;
  /** The same by the clock out here: a guest whose clock stood, too, has had less time. */
  readonly hostMs: number;
  /** The longest time between two looks that should be a millisecond apart: for so long the guest stood still. */
  readonly longestMs: number;
  /** All such times of 100 ms and more together. */
  readonly stoodMs: number;
};

/** A guest of the lab. Everything but `sh` and what builds on it also works for a guest without an operating system. */
export type LabGuest = {
  readonly name: string;
  readonly uuid: string;
  readonly kind: GuestKind;
  /** Waits until the guest has booted and answers; done by `startGuest` already. */
  readonly waitReady: (timeoutMs?: number) => Promise<void>;
  /** Runs a shell command (busybox) in the guest; at most 3000 bytes. Throws when the guest does not answer in time. */
  readonly sh: (command: string, timeoutMs?: number) => Promise<ShellResult>;
  /** As `sh`, for less than half of the guest's time, where nothing can keep the command from ending. */
  readonly quick: (command: string) => Promise<ShellResult>;
  /** As `sh`, but a non-zero exit is an error; gives the output. */
  readonly shOk: (command: string, timeoutMs?: number) => Promise<string>;
  /** MemTotal of the guest's own /proc/meminfo. */
  readonly memTotalKiB: () => Promise<number>;
  /** A field of the guest's own /proc/meminfo, for example `MemAvailable`. */
  readonly memInfoKiB: (field: string) => Promise<number>;
  /** Starts a process that fills so much anonymous memory, and locks it if told to, and waits until it has. */
  readonly useMemory: (mib: number, options?: { locked?: boolean }) => Promise<MemoryUse>;
  /** Writes a file of that size into memory (tmpfs), which nothing but deleting it frees. */
  readonly useTmpfs: (mib: number) => Promise<TmpfsUse>;
  /** Starts a process that looks at the clock all the time; what is given ends it and tells what it saw. */
  readonly watchClock: () => Promise<() => Promise<ClockWatch>>;
  /** How many processes the kernel has killed for want of memory since the guest booted. */
  readonly oomKills: () => Promise<number>;
  /** Makes the kernel veto every offlining from now on, or stops that. */
  readonly refuse: (on: boolean) => Promise<void>;
  /** To which zone modules plugged from now on are given; the kernel's own zone makes them unremovable. */
  readonly onlineAs: (zone: 'movable' | 'kernel') => Promise<void>;
  /** Pins a page of every module, those plugged later too, and waits until it has; see `silent`. */
  readonly pin: () => Promise<void>;
  /** Waits until every movable block that is online now has a page pinned. */
  readonly waitPinned: (timeoutMs?: number) => Promise<void>;
  /** Ends the pinning; removals that hang go through. */
  readonly letGo: () => Promise<void>;
  /** Plugs a module with `virsh attach-device --live`. */
  readonly plugDimm: (mib: number, alias: string, node?: number, options?: { hugePages?: boolean }) => Promise<void>;
  /** Asks for a module with `virsh detach-device-alias --live`, which does not wait for the outcome. */
  readonly unplugDimm: (alias: string) => Promise<void>;
  /** The aliases of the memory modules in the live XML. */
  readonly moduleAliases: () => Promise<string[]>;
  /** The live XML, or the inactive one of a domain that is off. */
  readonly dumpXml: () => Promise<string>;
  /** Resets the machine as its button would; `waitReady` waits for the new boot. */
  readonly reset: () => Promise<void>;
  /** Starts the domain again after `destroy`, and waits until it has booted; never from a kept state. */
  readonly start: () => Promise<void>;
  /** Waits for a run that `work` begins, in whatever way, in which the guest goes on where its state was saved. */
  readonly goesOnBy: (work: () => Promise<unknown>) => Promise<void>;
  /** Pulls the plug. The domain stays defined. */
  readonly destroy: () => Promise<void>;
  readonly undefine: () => Promise<void>;
  /** What the guest's kernel said on its first serial port. */
  readonly consoleLog: () => string;
};
