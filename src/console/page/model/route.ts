/** Where in the page one is: all of it after the `#`, which no browser sends to a server. Pure. */

/** What the list is narrowed down to; empty: not at all. */
export type Filter = {
  readonly text: string;
  readonly namespace: string;
  readonly host: string;
  readonly reason: string;
  readonly sort: SortKey;
};

export const sortKeys = ['attention', 'name', 'size', 'since'] as const;
export type SortKey = (typeof sortKeys)[number];

export const vmTabs = ['memory', 'history'] as const;
export type VmTab = (typeof vmTabs)[number];

export type Route =
  | { readonly page: 'list'; readonly filter: Filter }
  | { readonly page: 'vm'; readonly namespace: string; readonly name: string; readonly tab: VmTab }
  | { readonly page: 'hosts' }
  | { readonly page: 'unknown' };

export const noFilter: Filter = { text: '', namespace: '', host: '', reason: '', sort: 'attention' };

/** The route of a hash such as `#/vms/default/web`. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  const [first, namespace, name, tab] = parts;
  if (first === undefined) return { page: 'list', filter: parseFilter(query) };
  if (first === 'hosts' && parts.length === 1) return { page: 'hosts' };
  if (first !== 'vms' || namespace === undefined || name === undefined || parts.length > 4) return { page: 'unknown' };
  if (tab === undefined) return { page: 'vm', namespace, name, tab: 'memory' };
  return tab === 'history' ? { page: 'vm', namespace, name, tab } : { page: 'unknown' };
}

/** What was typed by hand may be no encoding at all. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parseFilter(query: string): Filter {
  const read = new URLSearchParams(query);
  const of = (name: string): string => read.get(name) ?? '';
  const sort = sortKeys.find((key) => key === of('sort')) ?? noFilter.sort;
  return { text: of('q'), namespace: of('namespace'), host: of('host'), reason: of('reason'), sort };
}

/** The hash of a route; {@link parseRoute} reads it. */
export function formatRoute(route: Route): string {
  switch (route.page) {
    case 'list':
      return `#/${formatFilter(route.filter)}`;
    case 'vm': {
      const tab = route.tab === 'memory' ? '' : `/${route.tab}`;
      return `#/vms/${encodeURIComponent(route.namespace)}/${encodeURIComponent(route.name)}${tab}`;
    }
    case 'hosts':
      return '#/hosts';
    case 'unknown':
      return '#/';
    default:
      return route satisfies never;
  }
}

function formatFilter({ text, namespace, host, reason, sort }: Filter): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ q: text, namespace, host, reason }))
    if (value !== '') query.set(name, value);
  if (sort !== noFilter.sort) query.set('sort', sort);
  const said = query.toString();
  return said === '' ? '' : `?${said}`;
}
