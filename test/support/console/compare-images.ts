/** Two pictures, compared by a browser: it reads what it draws, so no decoder is needed here. */
import { crc32, deflateSync } from 'node:zlib';
import type { Page } from 'playwright-core';

/**
 * How much two pixels may differ in a channel (of 255) and still be the same: less than one tone of the page from the next.
 */
const shade = 24;

export type Compared = {
  /** Pixels of either that the other has nowhere within a pixel: so letters may be drawn a trace otherwise, but no line is lost. */
  readonly differing: number;
  /** The second picture with what differs in red, as PNG. */
  readonly shown: Buffer;
};

/** `page`: any that is open, and whose policy stops nothing. @throws Error where their sizes differ */
export async function compareImages(page: Page, one: Buffer, other: Buffer): Promise<Compared> {
  const { differing, shown } = await page.evaluate<{ differing: number; shown: string }>(
    `(${comparing})('${one.toString('base64')}', '${other.toString('base64')}', ${shade})`,
  );
  return { differing, shown: Buffer.from(shown, 'base64') };
}

/** A picture in at most 256 colours, the frequent ones as they are, as PNG: a third of the bytes. */
export async function packImage(page: Page, png: Buffer): Promise<Buffer> {
  const { width, height, rgb } = await page.evaluate<{ width: number; height: number; rgb: string }>(
    `(${reading})('${png.toString('base64')}')`,
  );
  return encodePng(width, height, Buffer.from(rgb, 'base64'));
}

/** A channel of a rare colour may be so far from a more frequent one that stands for it: less than {@link shade}. */
const nearest = [4, 8, 12, 16, 20] as const;

/** For each colour the place in the palette of the most frequent one near it. @throws Error where 256 don't do */
function paletteOf(colours: ReadonlyMap<number, number>): {
  readonly palette: number[];
  readonly place: Map<number, number>;
} {
  const byCount = [...colours].sort(([, a], [, b]) => b - a).map(([colour]) => colour);
  for (const distance of nearest) {
    const palette: number[] = [];
    const place = new Map<number, number>();
    const isNear = (a: number, b: number): boolean =>
      [16, 8, 0].every((shift) => Math.abs(((a >> shift) & 255) - ((b >> shift) & 255)) <= distance);
    for (const colour of byCount) {
      const found = palette.findIndex((known) => isNear(known, colour));
      place.set(colour, found === -1 ? palette.push(colour) - 1 : found);
    }
    if (palette.length <= 256) return { palette, place };
  }
  throw new Error('the picture has too many colours');
}

function encodePng(width: number, height: number, rgb: Buffer): Buffer {
  const colours = new Map<number, number>();
  const colourAt = (at: number): number => rgb.readUIntBE(at * 3, 3);
  for (let at = 0; at < width * height; at += 1) colours.set(colourAt(at), (colours.get(colourAt(at)) ?? 0) + 1);
  const { palette, place } = paletteOf(colours);
  // Before each row stands how it is filtered: not at all.
  const rows = Buffer.alloc(height * (width + 1));
  for (let at = 0; at < width * height; at += 1)
    rows[Math.floor(at / width) * (width + 1) + 1 + (at % width)] = place.get(colourAt(at)) ?? 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a pixel, each a colour of the palette (PNG, 11.2.1).
  header.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))),
    ...[chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))],
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

const tools = `
  const draw = async (base64) => {
    const blob = new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return { canvas, context, data: context.getImageData(0, 0, canvas.width, canvas.height) };
  };
  const toBase64 = (bytes) => {
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };`;

const reading = `async (png) => {${tools}
  const { width, height, data } = (await draw(png)).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at += 1) rgb.set(data.subarray(at * 4, at * 4 + 3), at * 3);
  return { width, height, rgb: toBase64(rgb) };
}`;

const comparing = `async (one, other, shade) => {${tools}
  const [before, after] = [await draw(one), await draw(other)];
  const { width, height } = before.data;
  if (after.data.width !== width || after.data.height !== height)
    throw new Error('one is ' + width + 'x' + height + ', the other ' + after.data.width + 'x' + after.data.height);
  const [a, b] = [before.data.data, after.data.data];
  const near = (p, i, q, j) =>
    Math.abs(p[i] - q[j]) <= shade && Math.abs(p[i + 1] - q[j + 1]) <= shade && Math.abs(p[i + 2] - q[j + 2]) <= shade;
  const isThere = (p, x, y, q) => {
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v += 1)
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u += 1)
        if (near(p, (y * width + x) * 4, q, (v * width + u) * 4)) return true;
    return false;
  };
  const marked = [];
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const i = (y * width + x) * 4;
      if (!near(a, i, b, i) && !(isThere(a, x, y, b) && isThere(b, x, y, a))) marked.push(i);
    }
  for (const i of marked) [b[i], b[i + 1], b[i + 2]] = [255, 0, 0];
  after.context.putImageData(after.data, 0, 0);
  const shown = marked.length === 0 ? null : await after.canvas.convertToBlob({ type: 'image/png' });
  return {
    differing: marked.length,
    shown: shown === null ? '' : toBase64(new Uint8Array(await shown.arrayBuffer())),
  };
}`;
