/** Text in lines and columns, as a terminal shows it: one letter, one place. */

/** Pieces in lines of at most `width`, with blanks between; none is broken, however long. */
export function fill(pieces: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + piece.length > width) lines.push(piece);
    else lines[lines.length - 1] = `${last} ${piece}`;
  }
  return lines;
}

/** The words of `text` in lines of at most `width`; a longer word is left whole, so that it can be copied. */
export const wrap = (text: string, width: number): readonly string[] => fill(text.split(/\s+/), width);

/** Rows of cells, each column as wide as its widest cell, those without a letter left out; `right` ones end together. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const fit = (cell: string, column: number): readonly string[] => {
    const width = widths[column] ?? 0;
    if (width === 0) return [];
    return [right.includes(column) ? cell.padStart(width) : cell.padEnd(width)];
  };
  return rows.map((row) => row.flatMap(fit).join('  ').trimEnd());
}

/** `1 module` or `3 modules`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
