/** What `kubectl apply` says that it did. */

/**
 * Lines that say anything but `unchanged`. Of a PodDisruptionBudget kubectl sends the selector each time it applies one, and
 * calls it configured (its patch strategy is `replace`); that nothing differs is what `kubectl diff` says (manifests.test.ts).
 */
export const changesIn = (stdout: string): readonly string[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(' unchanged') && !/^poddisruptionbudget\S+ configured$/.test(line));
