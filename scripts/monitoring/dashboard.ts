/** A dashboard from rows of panels: each gets its place, its number and the data source. */
import type { Panel, Row } from './panels.ts';

/** A choice at the top of the dashboard, of what a metric's label has. */
export type Choice = { readonly name: string; readonly label: string; readonly metric: string };

export type Dashboard = {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly choices: readonly Choice[];
  readonly rows: readonly Row[];
};

const columns = 24;
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** The panels of a row from left to right, in as many lines as they need, from the line `top` on. */
function placed(
  panels: readonly Panel[],
  top: number,
): { readonly places: readonly object[]; readonly bottom: number } {
  let [x, y, tallest] = [0, top, 0];
  const places = panels.map(({ title, description, width, height, json }) => {
    if (x + width > columns) [x, y, tallest] = [0, y + tallest, 0];
    const place = { title, description, datasource, gridPos: { x, y, w: width, h: height }, ...json };
    [x, tallest] = [x + width, Math.max(tallest, height)];
    return place;
  });
  return { places, bottom: y + tallest };
}

const variables = (choices: readonly Choice[]): readonly object[] => [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
  ...choices.map(({ name, label, metric }) => {
    const query = `label_values(${metric}, ${name})`;
    return {
      name,
      label,
      type: 'query',
      datasource,
      definition: query,
      query: { query, refId: name },
      refresh: 2,
      sort: 1,
    };
  }),
];

/** What Grafana imports. */
export function computeDashboard({ uid, title, description, choices, rows }: Dashboard): object {
  const panels: object[] = [];
  let top = 0;
  for (const row of rows) {
    const { places, bottom } = placed(row.panels, top + 1);
    panels.push({ type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y: top, w: columns, h: 1 } });
    panels.push(...places);
    top = bottom;
  }
  return {
    ...{ uid, title, description, tags: ['dimmer'], schemaVersion: 39, version: 1, editable: true, refresh: '30s' },
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    // From one to the other, with what was chosen.
    links: [
      {
        ...{ type: 'dashboards', title: 'Dimmer', tags: ['dimmer'], asDropdown: false },
        ...{ includeVars: true, keepTime: true },
      },
    ],
    templating: { list: variables(choices) },
    panels: panels.map((panel, index) => ({ id: index + 1, ...panel })),
  };
}
