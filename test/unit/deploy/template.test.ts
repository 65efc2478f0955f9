/** A manifest becomes a template: what is replaced is replaced, the rest stays as it was written, and a slip is no silent one. */
import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { templateOf, when } from '../../../scripts/packaging/template.ts';

const manifest = `# What it is.
kind: Thing
metadata:
  name: one # as ever
spec:
  # How many.
  replicas: 2
  places: [a, b]
  rule: >-
    x == 1
    && y == 2
`;
const template = () => templateOf(parseDocument(manifest));

describe('a template', () => {
  test('of which nothing is asked is the manifest', () => {
    expect(template().toText()).toBe(manifest.replace('x == 1\n    && y', 'x == 1 && y'));
  });

  test('has expressions, pieces and conditions where they were put, and every comment', () => {
    const made = template();
    made.fill(['metadata', 'name'], '{{ .name }}');
    made.wrap(['spec', 'replicas'], '{{- if .many }}', '{{- end }}');
    made.append(['spec', 'places'], '{{- range .more }}\n- {{ . }}\n{{- end }}');
    made.insertBefore(['spec', 'rule'], 'note: {{ .note }}');
    made.replace(['kind'], 'kind: {{ .kind }}');
    expect(made.toText()).toBe(`# What it is.
kind: {{ .kind }}
metadata:
  name: {{ .name }}
spec:
  # How many.
  {{- if .many }}
  replicas: 2
  {{- end }}
  places:
    - a
    - b
    {{- range .more }}
    - {{ . }}
    {{- end }}
  note: {{ .note }}
  rule: >-
    x == 1 && y == 2
`);
  });

  test.each([
    ['fill', () => template().fill(['spec', 'replica'], 'x')],
    ['replace', () => template().replace(['spec', 'replica'], 'x')],
    ['wrap', () => template().wrap(['specs', 'replicas'], 'x', 'y')],
    ['append', () => template().append(['spec', 'replicas'], 'x')],
    ['insertBefore', () => template().insertBefore(['spec', 'places', 0], 'x')],
  ])('is not made where %s names what is not there', (_, slip) => {
    expect(slip).toThrow(/^no |is no key$/);
  });

  test('is not made of what Helm would take for its own', () => {
    expect(() => templateOf(parseDocument('rule: "{{ x }}"'))).toThrow(/Helm would take/);
  });

  test('may be there on a condition', () => {
    expect(when('.on', 'a: 1\n')).toBe('{{- if .on }}\na: 1\n{{- end }}\n');
  });
});
