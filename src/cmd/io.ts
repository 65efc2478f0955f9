/** What a command is given: its streams and the signal that ends it. Injected, so that commands can be tested. */
export type CommandIo = {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Aborted on SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
};

/** Exit codes: 0 done, 1 bad usage or failure; `dimmer plan` has two more (docs/planner.md). */
export const exitOk = 0;
export const exitFailure = 1;
