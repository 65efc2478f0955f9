/** Takes one line of progress for people. */
export type Report = (line: string) => void;

/** Runs `work` and says every ten seconds how far it is, with the time since the start. */
export async function withHeartbeat<T>(report: Report, state: () => string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const timer = setInterval(() => report(`  ${state()} (${Math.round((Date.now() - start) / 1000)} s)`), 10_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** A {@link Report} to standard error, so that standard output stays free for results. */
export function reportToTerminal(line: string): void {
  console.error(`lab: ${line}`);
}
