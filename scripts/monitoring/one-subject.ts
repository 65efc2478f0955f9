/** What the dashboards of one host and of one VM have alike: how it is with it now, and what was said of it when. */
import { words } from './fleet-dashboard.ts';
import { type Panel, stat, timeline } from './panels.ts';

/** Six of these beside each other. */
export const small = { width: 4, height: 4 } as const;

/** The value that metrics with this prefix have of what `labels` choose, a metric's further name to come. */
export const valueOf =
  (prefix: string, labels: string) =>
  (metric: string): string =>
    `max(${prefix}_${metric}{${labels}})`;

type ReadinessOptions = {
  readonly title: string;
  /** What it takes to be ready. */
  readonly description: string;
  /** 1 or 0. */
  readonly ready: string;
  readonly reasonDescription: string;
  /** One series, with the label `reason`. */
  readonly reasons: string;
};

/** Whether it is ready, and why or why not. */
export const readiness = (options: ReadinessOptions): readonly Panel[] => [
  stat({ title: options.title, description: options.description, ...small, words, expr: options.ready }),
  stat({
    ...{ title: 'Reason', description: options.reasonDescription, ...small, shows: 'name' },
    ...{ expr: options.reasons, legend: '{{reason}}' },
  }),
];

/** Its reasons in the course of time. `expr`: 1 for each reason, with the label `reason`. */
export const reasonsOverTime = (
  panel: Pick<Panel, 'title' | 'description' | 'width' | 'height'> & { readonly expr: string },
): Panel => timeline({ ...panel, legend: '{{reason}}', words: { '1': ['so', 'blue'] } });

/** How full something is: a share, which is orange from 0.8 and red from `red` on. */
export const fill = (
  panel: Pick<Panel, 'title' | 'description'> & { readonly expr: string; readonly red: number },
): Panel => {
  const { red, ...rest } = panel;
  return stat({
    ...{ ...rest, ...small, unit: 'percentunit' },
    steps: [
      [null, 'green'],
      [0.8, 'orange'],
      [red, 'red'],
    ],
  });
};
