/**
 * Writes docs/reference.md from what programs go by: the custom resource definitions and the agent's OpenAPI document.
 * `node scripts/reference.ts`; test/unit/docs/reference.test.ts says when it is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { parse } from 'yaml';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const referenceFile = join(root, 'docs/reference.md');

type Schema = {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly format?: string;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly { readonly message?: string }[];
};

type Crd = {
  readonly spec: {
    readonly scope: string;
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string; readonly shortNames: readonly string[] };
    readonly versions: readonly {
      readonly name: string;
      readonly additionalPrinterColumns: readonly { name: string; description?: string; priority?: number }[];
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
};

type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
};
type Body = { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> };
type Operation = {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body & { readonly description?: string; readonly $ref?: string }>>;
};
type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, { readonly description?: string }>>;
  };
};

const code = (text: string): string => `\`${text}\``;
const inOneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');
/** A sentence, with its full stop. */
const sentence = (text: string): string => (text === '' || /[.:!?]$/.test(text) ? text : `${text}.`);
/** Angle brackets and stars of a description are no markup. */
const plain = (text: string): string => sentence(inOneLine(text)).replaceAll(/[<>*_|]/g, (sign) => `\\${sign}`);
const nameOfRef = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);
const anchor = (name: string): string => name.toLowerCase();

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return `[${nameOfRef(schema.$ref)}](#${anchor(nameOfRef(schema.$ref))})`;
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity';
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  const named = [schema.type ?? 'any'].flat().join(' or ');
  if (named === 'object' && typeof schema.additionalProperties === 'object') {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  return schema.format === 'date-time' ? 'time' : named;
}

function limitsOf(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, exclusiveMinimum } = schema;
  const said = [
    schema.default === undefined ? '' : `Default ${code(JSON.stringify(schema.default))}.`,
    schema.enum === undefined ? '' : `One of ${schema.enum.map((value) => code(String(value))).join(', ')}.`,
    minimum === undefined ? '' : `At least ${minimum}.`,
    exclusiveMinimum === undefined ? '' : `Above ${exclusiveMinimum}.`,
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `At most ${maximum}.`,
    minLength === undefined ? '' : minLength === 1 ? 'Not empty.' : `At least ${minLength} characters.`,
    maxLength === undefined ? '' : `At most ${maxLength} characters.`,
    minItems === undefined ? '' : minItems === 1 ? 'Not empty.' : `At least ${minItems} entries.`,
    maxItems === undefined ? '' : `At most ${maxItems} entries.`,
    ...(schema['x-kubernetes-validations'] ?? []).map(({ message }) =>
      message === undefined ? '' : `Rule: ${plain(message)}`,
    ),
  ];
  return said.filter((text) => text !== '').join(' ');
}

/** The fields of an object as a list, those of objects in it below them. */
function fieldsOf(schema: Schema, depth = 0): readonly string[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const inner = field.items ?? (typeof field.additionalProperties === 'object' ? field.additionalProperties : field);
    const about = [plain(field.description ?? ''), limitsOf(field)].filter((text) => text !== '').join(' ');
    const head = `**${code(name)}** _${typeOf(field)}${required.has(name) ? ', required' : ''}_`;
    return [`${'  '.repeat(depth)}- ${head}${about === '' ? '' : `: ${about}`}`, ...fieldsOf(inner, depth + 1)];
  });
}

function describeCrd(name: string): readonly string[] {
  const { spec } = parse(readFileSync(join(root, `crds/dimmer.dev_${name}.yaml`), 'utf8')) as Crd;
  const { kind, plural, shortNames } = spec.names;
  return spec.versions.flatMap(({ name: version, schema: { openAPIV3Schema: schema }, additionalPrinterColumns }) => {
    const { spec: wanted = {}, status = {} } = schema.properties ?? {};
    const columns = additionalPrinterColumns.map(({ name: column, priority }) =>
      priority === 1 ? `${column} (wide)` : column,
    );
    return [
      `## ${kind}`,
      '',
      plain(schema.description ?? ''),
      '',
      `${code(`apiVersion: ${spec.group}/${version}`)}, ${code(plural)}, short ${shortNames.map(code).join(', ')}, ${spec.scope === 'Cluster' ? 'without a namespace' : 'in a namespace'}. \`kubectl get\` shows ${columns.join(', ')}.`,
      '',
      `### ${kind}: spec`,
      '',
      plain(wanted.description ?? ''),
      '',
      ...fieldsOf(wanted),
      '',
      ...(limitsOf({ 'x-kubernetes-validations': wanted['x-kubernetes-validations'] ?? [] }) === ''
        ? []
        : [
            'Of all of them together:',
            '',
            ...(wanted['x-kubernetes-validations'] ?? []).map(({ message = '' }) => `- ${plain(message)}`),
            '',
          ]),
      `### ${kind}: status`,
      '',
      plain(status.description ?? ''),
      '',
      ...fieldsOf(status),
      '',
    ];
  });
}

function describeOperation(path: string, method: string, operation: Operation, api: OpenApi): readonly string[] {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content?.['application/json']?.schema;
  const answers = Object.entries(responses).map(([status, answer]) => {
    const schema = Object.values(answer.content ?? {})[0]?.schema;
    const shared = answer.$ref === undefined ? undefined : api.components.responses[nameOfRef(answer.$ref)];
    const text = inOneLine(answer.description ?? shared?.description ?? '');
    return `- ${code(status)}${text === '' ? '' : ` ${plain(text)}`}${schema?.$ref === undefined ? '' : ` ${typeOf(schema)}`}`;
  });
  return [
    `### ${method.toUpperCase()} ${path.replaceAll(/[{}]/g, (sign) => `\\${sign}`)}`,
    '',
    [plain(summary), plain(description ?? '')].filter((text) => text !== '').join(' '),
    '',
    ...parameters.map(
      ({ name, in: where, required, description: about = '', schema }) =>
        `- **${code(name)}** _in the ${where}, ${typeOf(schema)}${required === true ? ', required' : ''}_${about === '' && limitsOf(schema) === '' ? '' : `: ${[plain(about), limitsOf(schema)].filter((text) => text !== '').join(' ')}`}`,
    ),
    '',
    ...(body === undefined ? [] : ['The body, JSON:', '', ...fieldsOf(body), '']),
    'Answers:',
    '',
    ...answers,
    '',
  ];
}

/** The whole text of docs/reference.md. */
export async function writeReference(): Promise<string> {
  const api = JSON.parse(readFileSync(join(root, 'docs/openapi/agent-v1.json'), 'utf8')) as OpenApi;
  const lines = [
    '# Reference',
    '',
    "Made by `node scripts/reference.ts` from `crds/` and [openapi/agent-v1.json](openapi/agent-v1.json): don't edit it. What the fields are for is in the [user guide](user-guide.md) and the [operations guide](operations.md); what programs may count on is in [api.md](api.md).",
    '',
    ...describeCrd('virtualmachinememories'),
    ...describeCrd('hypervisorhosts'),
    "## The agent's HTTP API",
    '',
    'HTTPS with client certificates. Sizes are whole bytes, times milliseconds since 1970.',
    '',
    ...Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => describeOperation(path, method, operation, api)),
    ),
    "## Shapes of the agent's answers",
    '',
    ...Object.entries(api.components.schemas).flatMap(([name, schema]) => [
      `### ${name}`,
      '',
      ...(schema.description === undefined ? [] : [plain(schema.description), '']),
      ...fieldsOf(schema),
      '',
    ]),
  ];
  return format(`${lines.join('\n')}\n`, { parser: 'markdown', printWidth: 120, singleQuote: true });
}

if (import.meta.main) writeFileSync(referenceFile, await writeReference());
