/** A link opens the console once and within a minute; a secret that was never given out opens nothing. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { codeLifeMs, Sessions } from '../../../src/console/sessions.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const open = () => {
  const clock = new ManualClock();
  return { clock, sessions: new Sessions({ clock, random: randomBytes }) };
};

test('a code is changed for a secret once', () => {
  const { sessions } = open();
  const code = sessions.newCode();
  const secret = sessions.open(code) ?? '';
  expect(sessions.admits(`Bearer ${secret}`)).toBe(true);
  expect(sessions.open(code)).toBeNull();
  expect(Buffer.from(code, 'base64url')).toHaveLength(32);
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
});

test('a code that is a minute old is worth nothing', async () => {
  expect(codeLifeMs).toBe(60_000);
  const { clock, sessions } = open();
  const [early, late] = [sessions.newCode(), sessions.newCode()];
  await clock.advance(codeLifeMs - 1);
  expect(sessions.open(early)).not.toBeNull();
  await clock.advance(1);
  expect(sessions.open(late)).toBeNull();
});

test('what was not given out opens nothing', () => {
  const { sessions } = open();
  const code = sessions.newCode();
  expect(sessions.open('')).toBeNull();
  expect(sessions.open(`${code}x`)).toBeNull();
  // A wrong one spoils nobody's: else whoever guesses could keep the user out.
  const secret = sessions.open(code) ?? '';
  expect(secret).not.toBe('');
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    secret,
    `Basic ${secret}`,
    `Bearer ${code}`,
    `Bearer ${secret}x`,
  ])
    expect([header, sessions.admits(header)]).toEqual([header, false]);
});

test('tabs without number end the oldest sessions, and no more', () => {
  const { sessions } = open();
  const secrets = Array.from({ length: 33 }, () => sessions.open(sessions.newCode()) ?? '');
  expect(secrets.map((secret) => sessions.admits(`Bearer ${secret}`))).toEqual([false, ...Array<true>(32).fill(true)]);
});
