/**
 * What `work` comes to, or what `instead` gives as soon as `signal` is aborted. The work isn't ended by that: it goes on,
 * and nobody hears of it any more.
 */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, instead: () => T): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const giveUp = (): void => resolve(instead());
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
