/** The words by which users say how a size may be reached; docs/planner.md says what each means. */

export const shrinkPolicies = ['Exact', 'Nearest', 'Replace'] as const;
export type ShrinkPolicy = (typeof shrinkPolicies)[number];

export const growPolicies = ['Whole', 'Divisible'] as const;
export type GrowPolicy = (typeof growPolicies)[number];

/** What a size between the steps means: itself, or the next step above. */
export const roundings = ['Exact', 'Up'] as const;
export type Rounding = (typeof roundings)[number];

/** What becomes of a change of the modules by somebody else. */
export const driftPolicies = ['Correct', 'Report'] as const;
export type DriftPolicy = (typeof driftPolicies)[number];

/** What becomes of the modules that Dimmer plugged when the resource is deleted. */
export const deletionPolicies = ['Retain', 'Release'] as const;
export type DeletionPolicy = (typeof deletionPolicies)[number];

/** What a size outlasts: nothing but the run of the VM, or a start from its stored definition, too. */
export const persistences = ['Live', 'LiveAndConfig'] as const;
export type Persistence = (typeof persistences)[number];

export const guestSafeties = ['Required', 'BestEffort', 'Off'] as const;
export type GuestSafety = (typeof guestSafeties)[number];
