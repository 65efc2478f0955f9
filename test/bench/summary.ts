/** Figures of a series, the way every benchmark here reports them. */

/** The `q` quantile (0 to 1) of `values`, by the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** One row: name, count, and minimum, median, p99 and maximum in milliseconds. */
export function summaryRow(name: string, values: readonly number[]): string {
  const ms = (value: number): string => value.toFixed(1).padStart(8);
  return `${name.padEnd(44)} n=${String(values.length).padStart(3)} min ${ms(quantile(values, 0))} median ${ms(median(values))} p99 ${ms(quantile(values, 0.99))} max ${ms(quantile(values, 1))} ms`;
}
