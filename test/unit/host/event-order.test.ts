import { expect, it } from 'vitest';
import { isShownAsOf } from '../../../src/host/event-order.ts';
import { prefersRepresentation } from '../../../src/host/http/api/headers.ts';

it.each([
  ['a-9', 'a-10', true],
  ['a-10', 'a-10', true],
  ['a-10', 'a-9', false],
  ['a-b-2', 'a-b-3', true],
  ['b-2', 'a-3', false],
  ['2', '3', false],
  ['a-', 'a-3', false],
  [undefined, 'a-3', false],
  ['a-2', undefined, false],
])('whether event %s is shown as of %s: %s', (id, asOf, isShown) => {
  expect(isShownAsOf(id, asOf)).toBe(isShown);
});

it.each([
  ['return=representation', true],
  ['Return = "representation"', true],
  ['respond-async, wait=10, return=representation; x=y', true],
  [['respond-async', 'return=representation'], true],
  ['return=minimal', false],
  ['x; return=representation', false],
  ['', false],
  [undefined, false],
])('whether %j prefers to be told: %s', (header, prefers) => {
  expect(prefersRepresentation(header)).toBe(prefers);
});
