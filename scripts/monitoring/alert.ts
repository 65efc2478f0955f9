/** What an alert is: an expression that holds for as long, and what whoever is called needs to know. */

/** For whoever is called. Texts are Markdown. */
export type AlertRunbook = {
  /** What is so. */
  readonly meaning: string;
  /** Who has what disadvantage as long as it is so. */
  readonly impact: string;
  /** How to find out why, one look each. */
  readonly diagnosis: readonly string[];
  /** What ends it, one way each. */
  readonly remedy: readonly string[];
};

export type Alert = {
  readonly name: `Dimmer${string}`;
  /** PromQL; what is above the limit is a series, and a series an alert. */
  readonly expr: string;
  /** For how long it must hold, as Prometheus writes it. */
  readonly for: string;
  /** critical: somebody should look at once; warning: today; info: it is good to know. */
  readonly severity: 'critical' | 'warning' | 'info';
  /** One line; may have `{{ $labels.… }}` and `{{ $value }}`. */
  readonly summary: string;
  /** `by-reason`: docs/runbooks.md has a section for each reason, and the alert has a label `reason`. */
  readonly runbook: AlertRunbook | 'by-reason';
};
