import { describe, expect, it } from 'vitest';
import { matchesSelector } from '../../../src/api/v1alpha1/selector.ts';
import { formatLabelSelector, parseLabelSelector } from '../../../src/api/v1alpha1/selector-text.ts';

const read = (text: string) => {
  const parsed = parseLabelSelector(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const matches = (text: string, labels: Record<string, string>) => matchesSelector(read(text), labels);

describe('a label selector as text', () => {
  it.each([
    ['zone=a', { zone: 'a' }, true],
    ['zone==a', { zone: 'b' }, false],
    ['zone=', { zone: '' }, true],
    ['zone=', {}, false],
    ['zone != a', { zone: 'b' }, true],
    ['zone!=a', {}, true],
    ['zone!=a', { zone: 'a' }, false],
    ['zone in (a, b)', { zone: 'b' }, true],
    ['zone in (a,b)', { zone: 'c' }, false],
    ['zone in (a,)', { zone: '' }, true],
    ['zone notin (a,b)', { zone: 'c' }, true],
    ['zone notin (a,b)', {}, true],
    ['zone notin(a,b)', { zone: 'a' }, false],
    ['zone', { zone: '' }, true],
    ['zone', {}, false],
    ['!zone', {}, true],
    ['! zone', { zone: 'a' }, false],
    ['example.com/zone in (a,b),!gpu, tier!=gold', { 'example.com/zone': 'a', tier: 'silver' }, true],
    ['example.com/zone in (a,b),!gpu, tier!=gold', { 'example.com/zone': 'a', gpu: '' }, false],
    ['', { any: 'thing' }, true],
    ['in in (in),notin', { in: 'in', notin: '' }, true],
  ])('%s and %j: %s', (text, labels, expected) => {
    expect(matches(text, labels)).toBe(expected);
  });

  it.each([
    ['zone=a b', "'zone = a b' is not a requirement"],
    ['zone in a', "'zone in a': values stand in parentheses, with commas between them"],
    ['zone in (a b)', "'zone in ( a b )': values stand in parentheses, with commas between them"],
    ['zone in (a', "'zone in ( a': values stand in parentheses, with commas between them"],
    ['zone gt 5', "'zone gt 5' is not a requirement"],
    ['zone>5', "'zone>5' is not the key of a label"],
    ['-zone', "'-zone' is not the key of a label"],
    ['zone=-a', "'-a' is not the value of a label"],
    ['a/b/c=d', "'a/b/c' is not the key of a label"],
    ['zone=a,', 'a requirement is empty'],
    [',', 'a requirement is empty'],
    ['=a', "'= a' is not a requirement"],
    ['!', "'!' is not the key of a label"],
    [`${'x'.repeat(64)}=a`, `'${'x'.repeat(64)}' is not the key of a label`],
  ])('%s is refused: %s', (text, problem) => {
    expect(parseLabelSelector(text)).toEqual({ ok: false, error: problem });
  });

  it('has one text, however it was written', () => {
    expect(formatLabelSelector(read(' zone in (b, a,b) ,tier==x,!gpu,ssd, a notin (q),zone in (a,b)'))).toBe(
      '!gpu,a!=q,ssd,tier=x,zone in (a,b)',
    );
    expect(formatLabelSelector({ matchLabels: { zone: 'a' } })).toBe('zone=a');
    for (const text of ['a', '!a', 'a=', 'a!=', 'a in (,b)', 'x/a notin (b,c),z']) {
      expect(formatLabelSelector(read(formatLabelSelector(read(text))))).toBe(formatLabelSelector(read(text)));
    }
  });
});
