/** The words by which users say how a size may be reached; docs/planner.md says what each means. */

export const shrinkPolicies = ['Exact', 'Nearest', 'Replace'] as const;
export type ShrinkPolicy = (typeof shrinkPolicies)[number];

export const growPolicies = ['Whole', 'Divisible'] as const;
export type GrowPolicy = (typeof growPolicies)[number];

export const guestSafeties = ['Required', 'BestEffort', 'Off'] as const;
export type GuestSafety = (typeof guestSafeties)[number];
