/**
 * What each reason means for people, and what to do about it: the texts of docs/runbooks.md, of the table in
 * docs/user-guide.md and of the "to do" of `dimmer status` (docs/adr/0042-a-runbook-a-reason.md).
 */

/** Nobody needs to do anything, or all that is to be done fits one line. Texts are Markdown. */
type Calm = {
  /** What is so. One line. */
  readonly meaning: string;
  /** What to do. One line, without links; null: nothing. */
  readonly todo: string | null;
};

/** It holds something up, or needs a human: for whoever is woken by it. */
type Call = Calm & {
  readonly todo: string;
  /** Who has what disadvantage as long as it is so. */
  readonly impact: string;
  /** How to find out why, one look each. */
  readonly diagnosis: readonly string[];
  /** What ends it, one way each. */
  readonly remedy: readonly string[];
};

export type Runbook = Calm | Call;

/** Whether the runbook has more than one line for whoever is called. */
export const isCall = (runbook: Runbook): runbook is Call => 'impact' in runbook;

/** Where docs/runbooks.md speaks of a reason: the anchor that every Markdown viewer makes of its heading. */
export const anchorOf = (reason: string): string => `docs/runbooks.md#${reason.toLowerCase()}`;
