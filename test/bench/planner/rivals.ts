/** Two textbook ways to choose modules, to compare with. Sizes in blocks; they answer indices, or null. */

/** Largest first, as long as it fits. */
export function greedy(sizes: readonly number[], amount: number): number[] | null {
  const order = sizes.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
  const chosen: number[] = [];
  let left = amount;
  for (const index of order) {
    const size = sizes[index] ?? 0;
    if (size > left) continue;
    chosen.push(index);
    left -= size;
  }
  return left === 0 ? chosen : null;
}

/** The plain dynamic programme: fewest modules for every sum, a row a module, all rows kept for the walk back. */
export function plainTable(sizes: readonly number[], amount: number): number[] | null {
  const width = amount + 1;
  const none = 0xffff;
  const fewest = new Uint16Array((sizes.length + 1) * width).fill(none);
  fewest[0] = 0;
  for (let row = 1; row <= sizes.length; row++) {
    const size = sizes[row - 1] ?? 0;
    const before = (row - 1) * width;
    const here = row * width;
    for (let sum = 0; sum < width; sum++) {
      const without = fewest[before + sum] ?? none;
      const taken = sum >= size ? (fewest[before + sum - size] ?? none) : none;
      fewest[here + sum] = taken < without ? taken + 1 : without;
    }
  }
  if (fewest[sizes.length * width + amount] === none) return null;
  const chosen: number[] = [];
  let sum = amount;
  for (let row = sizes.length; row > 0; row--) {
    if (fewest[row * width + sum] === fewest[(row - 1) * width + sum]) continue;
    chosen.push(row - 1);
    sum -= sizes[row - 1] ?? 0;
  }
  return chosen;
}
