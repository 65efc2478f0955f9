/** Text is read as kubectl reads it; test/integration/standalone holds this against a real one. */
import { describe, expect, test } from 'vitest';
import { readYaml } from '../../../src/standalone/yaml.ts';

const valuesOf = (text: string): unknown => {
  const read = readYaml(text);
  return read.ok ? read.value.map(({ value }) => value) : `${read.error.position.line}:${read.error.position.column}`;
};

test.each([
  ['a: Off', { a: false }],
  ['a: yes', { a: true }],
  ['a: y', { a: true }],
  ['a: "yes"', { a: 'yes' }],
  ['a: 0644', { a: 420 }],
  ['a: 0o17', { a: 15 }],
  ['a: 0x1F', { a: 31 }],
  ['a: -0b11', { a: -3 }],
  ['a: 1_000', { a: 1000 }],
  ['a: 1e3', { a: 1000 }],
  ['a: 089', { a: 89 }],
  ['a: .5', { a: 0.5 }],
  ['a: 1:30', { a: '1:30' }],
  ['a: 2026-11-30', { a: '2026-11-30' }],
  ['a: 6Gi', { a: '6Gi' }],
  ['a: 1.5.1', { a: '1.5.1' }],
  ['a: ~', { a: null }],
  ['a:', { a: null }],
  ['1: x', { '1': 'x' }],
  ['{"a": [1, "b"]}', { a: [1, 'b'] }],
  ['v: &v {a: 1}\nw: {<<: *v, b: 2}', { v: { a: 1 }, w: { a: 1, b: 2 } }],
])('%s', (text, value) => {
  expect(valuesOf(text)).toEqual([value]);
});

test('documents that hold nothing are left out', () => {
  expect(valuesOf('---\n# nothing\n---\na: 1\n---\n---\nb: 2\n')).toEqual([{ a: 1 }, { b: 2 }]);
  expect(valuesOf('')).toEqual([]);
});

describe('what is none is refused with its place', () => {
  test.each([
    ['a: 1\nb: 2\na: 3', '3:1'],
    ['a: [1, 2', '1:9'],
    ['a: 1\n\tb: 2', '2:1'],
    ['%YAML 1.1\n---\na: 1', '1:1'],
  ])('%j', (text, place) => {
    expect(valuesOf(text)).toBe(place);
  });

  test('one document that cannot be read spoils the file: it may be half of one', () => {
    expect(valuesOf('a: 1\n---\nb: {')).toBe('3:5');
  });
});

test('the place of a member, and of what is missing the place that should have it', () => {
  const read = readYaml('# first\na:\n  - b: 1\n    c: 2\n');
  if (!read.ok) throw new Error('not read');
  const at = (...path: (string | number)[]) => read.value[0]?.positionOf(path);
  expect([at('a', 0, 'c'), at('a', 0, 'd'), at('z'), at()]).toEqual([
    { line: 4, column: 8 },
    { line: 3, column: 5 },
    { line: 2, column: 1 },
    { line: 2, column: 1 },
  ]);
});

test('what ends a line for YAML 1.1 and for no editor is refused: a comment would end there', () => {
  expect(readYaml('a: 1\n# so\u2028b: 2\n')).toEqual({
    ok: false,
    error: {
      message: 'has a character that ends a line for kubectl and for no editor (U+2028): take it away',
      position: { line: 2, column: 5 },
    },
  });
  expect(readYaml('a: b\u0085c\n')).toMatchObject({ ok: false, error: { position: { line: 1, column: 5 } } });
});

test('a control character is refused where it stands, also in a comment', () => {
  expect(readYaml('a: 1\n# so\u0001\u2028\n')).toEqual({
    ok: false,
    error: {
      message: 'has a control character, which kubectl does not read (U+0001): take it away',
      position: { line: 2, column: 5 },
    },
  });
  expect(readYaml('\uFEFFa: b\t# c\uFEFF\u{1F600}\r\n').ok).toBe(true);
});

test('a key and its colon are on one line, as go-yaml reads them', () => {
  for (const text of ['spec\n  :\n  memory: 6Gi\n', 'a: 1\n"b"\n  : 2\n', 'a:\n  b: 1\n  c \n    : 2\n']) {
    expect([text, readYaml(text)]).toMatchObject([text, { ok: false }]);
  }
  expect(readYaml('a: 1\nspec\n  :\n  memory: 6Gi\n')).toMatchObject({
    ok: false,
    error: { message: "has a key whose ':' is not on its line", position: { line: 2, column: 1 } },
  });
  const fine = ['spec :\n  memory: 6Gi\n', 'spec:\n\n  memory:\n    6Gi\n', '? a\n: b\n', '{a: 1,\n b\n}\n'];
  for (const text of [...fine, '?\n  a\n: b\n', 'a:\n- ?\n   b\n  : c\n']) {
    expect([text, readYaml(text).ok]).toEqual([text, true]);
  }
});

test('a key is there, and is one that JSON has, as for kubectl', () => {
  // What kubectl 1.36 makes of each: `kubectl create --dry-run=client --validate=false`.
  const refused = [
    ...[
      ': 2\n',
      ':\n',
      'a: b\n: 2\n',
      'a:\n  : 2\n',
      'a:\n- : 2\n',
      '{: 2}\n',
      '{a: 1, : 2}\n',
      'a: [: 2]\n',
      'a: [x, : 2]\n',
    ],
    ...[
      'spec:\n  b\n  : 2\n',
      'spec:\n  b # c\n  : 2\n',
      'spec:\n  "b"\n  : 2\n',
      '{? : 2}\n',
      '? \n: 2\n',
      '?\n: 2\n',
    ],
    ...['&a : 2\n', '&a\n: 2\n', '!!str\n: 2\n', '~: 2\n', 'null: 2\n', '{a: b}: 2\n', '[a]: 2\n'],
  ];
  for (const text of refused) expect([text, readYaml(text).ok]).toEqual([text, false]);
  expect(readYaml('a: b\nc:\n  : 2\n')).toEqual({
    ok: false,
    error: { message: 'has a key that is empty or null', position: { line: 3, column: 3 } },
  });
  for (const text of ['"": 2\n', "{'': 2}\n", 'a: ~\n', '? a\n']) {
    expect([text, readYaml(text).ok]).toEqual([text, true]);
  }
});

test("an unquoted text in braces or brackets has no '?', which begins a key there for go-yaml", () => {
  for (const text of ['a: {b:? c}\n', 'a: {?b: c}\n', 'a: {b: c?}\n', 'a: [?b]\n', 'a: {b: [c, {d?: 1}]}\n']) {
    expect([text, readYaml(text)]).toMatchObject([
      text,
      { ok: false, error: { message: expect.stringContaining('takes it for a mark') as string } },
    ]);
  }
  expect(readYaml('a: 1\nb: {c: d?}\n')).toMatchObject({ error: { position: { line: 2, column: 8 } } });
  for (const text of [
    'a: b?\n',
    'a?: b\n',
    'a: {"b?": \'c?\'}\n',
    'a: {? b : c}\n',
    'a: {b: c} # what?\n',
    '{"a": ["?"]}\n',
  ]) {
    expect([text, readYaml(text).ok]).toEqual([text, true]);
  }
});

test('an anchor has a name as go-yaml reads it', () => {
  expect(readYaml('a: &b-1_c 2\nd: *b-1_c\n')).toMatchObject({ ok: true });
  expect(readYaml('a: 1\nb: {&a: 2}\n')).toEqual({
    ok: false,
    error: {
      message: "has an anchor 'a:': letters, digits, - and _ make its name",
      position: { line: 2, column: 9 },
    },
  });
});
