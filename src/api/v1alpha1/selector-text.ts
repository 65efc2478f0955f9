/**
 * Label selectors as text, as kubectl's `--selector` takes them (apimachinery's pkg/labels/selector.go), without `gt` and
 * `lt`: metav1.LabelSelector has no such thing either. Pure.
 */
import { fail, type Result, succeed } from '../../memory/result.ts';
import type { LabelSelector } from './hypervisor-host.ts';

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const tokens = /\s*(==|!=|[=!,()]|[^\s=!,()]+)/y;

function isKey(text: string): boolean {
  const slash = text.indexOf('/');
  return slash === -1 ? name.test(text) : subdomain.test(text.slice(0, slash)) && name.test(text.slice(slash + 1));
}
const isValue = (text: string): boolean => text === '' || name.test(text);

/** What stands between the commas of the outermost level, as tokens. */
function split(text: string): readonly (readonly string[])[] | null {
  const parts: string[][] = [[]];
  let depth = 0;
  tokens.lastIndex = 0;
  for (let at = 0; at < text.trimEnd().length; at = tokens.lastIndex) {
    const token = tokens.exec(text)?.[1];
    if (token === undefined) return null;
    depth += token === '(' ? 1 : token === ')' ? -1 : 0;
    if (token === ',' && depth === 0) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

/** The values of `(a, b)`; null: it is something else. */
function readSet([open, ...rest]: readonly string[]): readonly string[] | null {
  if (open !== '(' || rest.pop() !== ')') return null;
  const values = rest.join(' ').split(/ ?, ?/);
  return values.some((value) => value.includes(' ')) ? null : values;
}

function readRequirement(part: readonly string[]): Result<Requirement, string> {
  const said = part.join(' ');
  const make = (key: string, operator: Requirement['operator'], values?: readonly string[]) => {
    if (!isKey(key)) return fail(`'${key}' is not the key of a label`);
    const odd = values?.find((value) => !isValue(value));
    if (odd !== undefined) return fail(`'${odd}' is not the value of a label`);
    return succeed({ key, operator, ...(values === undefined ? {} : { values: [...new Set(values)].toSorted() }) });
  };
  const [first = '', operator, ...rest] = part;
  if (part.length === 2 && first === '!') return make(operator ?? '', 'DoesNotExist');
  if (part.length === 1) return make(first, 'Exists');
  if (operator === '=' || operator === '==' || operator === '!=') {
    if (rest.length > 1) return fail(`'${said}' is not a requirement`);
    return make(first, operator === '!=' ? 'NotIn' : 'In', [rest[0] ?? '']);
  }
  if (operator === 'in' || operator === 'notin') {
    const values = readSet(rest);
    if (values === null) return fail(`'${said}': values stand in parentheses, with commas between them`);
    return make(first, operator === 'in' ? 'In' : 'NotIn', values);
  }
  return fail(said === '' ? 'a requirement is empty' : `'${said}' is not a requirement`);
}

/** Reads `zone=a`, `zone!=a`, `zone in (a,b)`, `zone notin (a,b)`, `zone` and `!zone`, with commas between them, which mean "and". */
export function parseLabelSelector(text: string): Result<LabelSelector, string> {
  if (text.trim() === '') return succeed({});
  const parts = split(text);
  if (parts === null) return fail(`'${text}' is not a label selector`);
  const matchExpressions: Requirement[] = [];
  for (const part of parts) {
    const read = readRequirement(part);
    if (!read.ok) return read;
    matchExpressions.push(read.value);
  }
  return succeed({ matchExpressions });
}

/** The one text of all selectors that say the same in other words: sorted, `=` where there is one value. */
export function formatLabelSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]): Requirement => ({
    key,
    operator: 'In',
    values: [value],
  }));
  return [...new Set([...equal, ...matchExpressions].map(formatRequirement))].toSorted().join(',');
}

function formatRequirement({ key, operator, values = [] }: Requirement): string {
  const sorted = [...new Set(values)].toSorted();
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'In':
      return sorted.length === 1 ? `${key}=${sorted[0]}` : `${key} in (${sorted.join(',')})`;
    case 'NotIn':
      return sorted.length === 1 ? `${key}!=${sorted[0]}` : `${key} notin (${sorted.join(',')})`;
  }
}
