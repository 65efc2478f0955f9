/** What expressions of PromQL ask for, and what an exposition has of it. */

/** The metrics that an expression reads, each with the labels that it matches, and the labels by which it groups or joins. */
export type Asked = {
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[];
  readonly grouping: readonly string[];
};

const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);
const groupingPattern = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

const namesIn = (list: string): readonly string[] => list.split(',').flatMap((name) => name.trim() || []);

/** Reads as much of an expression as ours use: no subqueries, no `{__name__=...}`. */
export function askedBy(expr: string): Asked {
  const bare = expr.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  const rest = bare.replaceAll(groupingPattern, ' ').replaceAll(/\[[^\]]*\]/g, ' ');
  const selectors = [...rest.matchAll(/(?<![\w.:])([a-zA-Z_:][\w:]*)\b(?!\s*\()(?:\s*\{([^}]*)\})?/g)].flatMap(
    ([, metric = '', matchers = '']) =>
      words.has(metric.toLowerCase())
        ? []
        : [{ metric, labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) }],
  );
  const grouping = [...bare.matchAll(groupingPattern)].flatMap(([, list = '']) => namesIn(list));
  return { selectors, grouping };
}

/** The names of an exposition's samples, each with all labels that any of them has. */
export type Exposed = ReadonlyMap<string, ReadonlySet<string>>;

/** Reads expositions in Prometheus' text format, as one. */
export function exposedBy(...texts: readonly string[]): Exposed {
  const exposed = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of texts
    .join('\n')
    .matchAll(/^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? /gm)) {
    const known = exposed.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    exposed.set(name, known);
  }
  return exposed;
}

/** What Prometheus itself adds to every series. */
const targetLabels = ['instance', 'job'];

/** What of an expression, and of the labels that its legend names, is nowhere in the exposition; empty: all is there. */
export function missingIn(exposed: Exposed, expr: string, legend: readonly string[] = []): readonly string[] {
  const { selectors, grouping } = askedBy(expr);
  const known = new Set([...targetLabels, ...selectors.flatMap(({ metric }) => [...(exposed.get(metric) ?? [])])]);
  return [
    ...selectors.flatMap(({ metric, labels }) => {
      const has = exposed.get(metric);
      if (has === undefined) return [metric];
      return labels
        .filter((label) => !has.has(label) && !targetLabels.includes(label))
        .map((label) => `${metric}{${label}}`);
    }),
    ...[...grouping, ...legend].filter((label) => !known.has(label)).map((label) => `label ${label} in ${expr}`),
  ];
}
