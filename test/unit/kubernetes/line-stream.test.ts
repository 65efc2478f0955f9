import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineStreamEnd, readLines } from '../../../src/kubernetes/line-stream.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const options = () => ({ clock: new ManualClock(), maxSilenceMs: 1_000, maxLineBytes: 1_000 });

async function read(chunks: readonly Buffer[], stopAfter = Infinity): Promise<{ lines: string[]; end: LineStreamEnd }> {
  const body = new PassThrough();
  const lines: string[] = [];
  const done = readLines(body, (line) => lines.push(line) < stopAfter, options());
  for (const chunk of chunks) body.write(chunk);
  body.end();
  return { lines, end: await done };
}

describe('readLines', () => {
  it('gives the same lines however the bytes are cut', async () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\n'));
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat({ max: 50 })), async (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const chunks: Buffer[] = [];
        let from = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(from, from + cut));
          from += cut;
        }
        chunks.push(bytes.subarray(from));
        expect(await read(chunks)).toEqual({ lines, end: { outcome: 'ended' } });
      }),
    );
  });

  it('does not take the beginning of a line for a line', async () => {
    expect(await read([Buffer.from('{"a":1}\n{"b"')])).toEqual({
      lines: ['{"a":1}'],
      end: { outcome: 'broken', message: 'cut off in the middle of a line' },
    });
  });

  it('stops when it is told to', async () => {
    expect(await read([Buffer.from('a\nb\nc\n')], 2)).toEqual({ lines: ['a', 'b'], end: { outcome: 'stopped' } });
  });

  it('gives up on a line without end', async () => {
    const { end } = await read([Buffer.alloc(600, 'x'), Buffer.alloc(600, 'x')]);
    expect(end).toEqual({ outcome: 'broken', message: 'a line of more than 1000 bytes' });
  });

  it('delivers a line in the same turn in which its last byte comes', () => {
    const body = new PassThrough();
    const lines: string[] = [];
    void readLines(body, (line) => lines.push(line) > 0, options());
    body.emit('data', Buffer.from('a\n'));
    expect(lines).toEqual(['a']);
    body.destroy();
  });

  it('takes silence for death, counted from the last byte', async () => {
    const body = new PassThrough();
    const { clock, ...rest } = options();
    let end: LineStreamEnd | undefined;
    void readLines(body, () => true, { clock, ...rest }).then((value) => (end = value));
    await clock.advance(900);
    body.write('half a li');
    await clock.advance(900);
    expect(end).toBeUndefined();
    await clock.advance(100);
    expect(end).toEqual({ outcome: 'silent' });
    expect(body.destroyed).toBe(true);
  });

  it('reports how a connection broke', async () => {
    const body = new PassThrough();
    const done = readLines(body, () => true, options());
    body.destroy(new Error('reset'));
    expect(await done).toEqual({ outcome: 'broken', message: 'reset' });
  });

  it('passes on what the reader of lines throws', async () => {
    const body = new PassThrough();
    const done = readLines(
      body,
      () => {
        throw new Error('bug');
      },
      options(),
    );
    body.write('a\n');
    await expect(done).rejects.toThrow('bug');
    expect(body.destroyed).toBe(true);
  });
});
