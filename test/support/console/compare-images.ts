/** Two pictures, compared by a browser: it reads what it draws, so no decoder is needed here. */
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

/** A picture in the smallest form in which no pixel is another: WebP without loss. */
export async function packImage(page: Page, png: Buffer): Promise<Buffer> {
  return Buffer.from(await page.evaluate<string>(`(${packing})('${png.toString('base64')}')`), 'base64');
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
  const textOf = async (canvas, type) => {
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type, quality: 1 })).arrayBuffer());
    return bytes.toBase64 === undefined ? btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join('')) : bytes.toBase64();
  };`;

// A quality of 1 is without loss in Chromium.
const packing = `async (png) => {${tools}
  return textOf((await draw(png)).canvas, 'image/webp');
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
  return { differing: marked.length, shown: marked.length === 0 ? '' : await textOf(after.canvas, 'image/png') };
}`;
