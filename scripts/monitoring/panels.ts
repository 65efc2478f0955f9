/** Grafana's panels, as far as our dashboards use them: what is drawn is said in a few words, the rest is the same for all. */

/** What Grafana calls units. */
type Unit = 'short' | 'bytes' | 's' | 'percentunit' | 'ops' | 'reqps' | 'dateTimeFromNow' | 'none';

type Query = {
  readonly expr: string;
  /** `{{label}}`s of the series. */
  readonly legend?: string;
};

type Common = {
  readonly title: string;
  /** One sentence, shown at the panel's i. */
  readonly description: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly height: number;
};

/** Colours from a value on, lowest first; the first one is for all below, too. */
type Steps = readonly (readonly [from: number | null, colour: string])[];

/** A value that is shown as a word. */
type Words = Readonly<Record<string, readonly [text: string, colour: string]>>;

export type Panel = Common & { readonly json: Readonly<Record<string, unknown>> };

/** Panels under a heading. */
export type Row = { readonly title: string; readonly panels: readonly Panel[] };

/** The dashboard's variable `datasource`: whichever Prometheus the reader chooses. */
const datasource = { type: 'prometheus', uid: '${datasource}' };

const targetsOf = (queries: readonly Query[], more: object = {}): readonly object[] =>
  queries.map(({ expr, legend }, index) => ({
    ...{ datasource, refId: String.fromCodePoint(65 + index), expr },
    ...(legend === undefined ? {} : { legendFormat: legend }),
    ...more,
  }));

const thresholdsOf = (steps: Steps): object => ({
  mode: 'absolute',
  steps: steps.map(([value, color]) => ({ color, value })),
});

const mappingsOf = (words: Words): readonly object[] => [
  {
    type: 'value',
    options: Object.fromEntries(
      Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]),
    ),
  },
];

const plain: Steps = [[null, 'text']];

/** One number, large; `spark`: with its course behind it. */
export function stat(
  panel: Common & Query & { unit?: Unit; steps?: Steps; words?: Words; spark?: boolean; shows?: 'value' | 'name' },
): Panel {
  const { unit = 'short', steps = plain, words = {}, spark = false, shows = 'value' } = panel;
  return {
    ...panel,
    json: {
      type: 'stat',
      targets: targetsOf([panel], spark ? {} : { instant: true }),
      fieldConfig: {
        defaults: { unit, thresholds: thresholdsOf(steps), mappings: mappingsOf(words), noValue: '–' },
        overrides: [],
      },
      options: {
        ...{ colorMode: steps === plain && panel.words === undefined ? 'none' : 'value', textMode: shows },
        ...{ graphMode: spark ? 'area' : 'none', reduceOptions: { calcs: ['lastNotNull'] } },
      },
    },
  };
}

/** Lines over time; `stacked`: areas that add up. */
export function graph(
  panel: Common & { queries: readonly Query[]; unit?: Unit; stacked?: boolean; max?: number; bars?: boolean },
): Panel {
  const { queries, unit = 'short', stacked = false, bars = false, max } = panel;
  return {
    ...panel,
    json: {
      type: 'timeseries',
      targets: targetsOf(queries),
      fieldConfig: {
        defaults: {
          ...{ unit, min: 0, ...(max === undefined ? {} : { max }) },
          custom: {
            ...{ drawStyle: bars ? 'bars' : 'line', lineWidth: bars ? 0 : 1, showPoints: 'never' },
            ...{
              fillOpacity: bars ? 80 : stacked ? 30 : 5,
              stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
            },
          },
        },
        overrides: [],
      },
      options: {
        legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },
  };
}

/** A column of a table: what a query gives, or a label. */
type Column = {
  readonly title: string;
  readonly unit?: Unit;
  readonly words?: Words;
  readonly steps?: Steps;
  /** Where a cell leads to. */
  readonly link?: { readonly title: string; readonly url: string };
};

/**
 * The queries' series side by side, joined by the label `by`. @param columns by the label, or by the letter of the query
 * (`A` for the first); what is not named is not shown
 */
export function table(
  panel: Common & { by: string; queries: readonly Query[]; columns: Readonly<Record<string, Column>>; sortBy?: string },
): Panel {
  const { by, queries, columns, sortBy } = panel;
  // With several queries Grafana calls the value of each `Value #A` and so on, with one `Value`.
  const fieldOf = (key: string): string =>
    /^[A-Z]$/.test(key) ? (queries.length === 1 ? 'Value' : `Value #${key}`) : key;
  const keys = Object.keys(columns);
  return {
    ...panel,
    json: {
      type: 'table',
      targets: targetsOf(queries, { instant: true, format: 'table' }),
      transformations: [
        ...(queries.length === 1 ? [] : [{ id: 'joinByField', options: { byField: by, mode: 'outer' } }]),
        { id: 'filterFieldsByName', options: { include: { names: keys.map(fieldOf) } } },
        {
          id: 'organize',
          options: {
            indexByName: Object.fromEntries(keys.map((key, index) => [fieldOf(key), index])),
            renameByName: Object.fromEntries(keys.map((key) => [fieldOf(key), columns[key]?.title ?? key])),
          },
        },
      ],
      fieldConfig: {
        defaults: { custom: { align: 'auto', filterable: false }, noValue: '–' },
        overrides: Object.values(columns).map(({ title, unit, words, steps, link }) => ({
          matcher: { id: 'byName', options: title },
          properties: [
            ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
            ...(words === undefined ? [] : [{ id: 'mappings', value: mappingsOf(words) }]),
            ...(steps === undefined ? [] : [{ id: 'thresholds', value: thresholdsOf(steps) }]),
            ...(words === undefined && steps === undefined
              ? []
              : [{ id: 'custom.cellOptions', value: { type: 'color-text' } }]),
            ...(link === undefined ? [] : [{ id: 'links', value: [link] }]),
          ],
        })),
      },
      options: {
        showHeader: true,
        ...(sortBy === undefined ? {} : { sortBy: [{ displayName: sortBy, desc: true }] }),
      },
    },
  };
}

/** What was so when, as bars of colour: a series with the value 1 is what its legend says. */
export function timeline(panel: Common & Query & { words: Words }): Panel {
  return {
    ...panel,
    json: {
      type: 'state-timeline',
      targets: targetsOf([panel]),
      fieldConfig: {
        defaults: { mappings: mappingsOf(panel.words), custom: { fillOpacity: 70, lineWidth: 0 } },
        overrides: [],
      },
      options: { mergeValues: true, showValue: 'never', legend: { showLegend: false }, rowHeight: 0.8 },
    },
  };
}
