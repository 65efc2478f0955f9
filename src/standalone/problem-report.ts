/** What is wrong with the manifests, said where people look: once in the log, and in a file for `dimmer status`. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../runtime/logger.ts';
import type { ManifestProblem } from './manifest.ts';
import type { StateDirectory } from './state-directory.ts';

const isIn = (all: readonly ManifestProblem[], one: ManifestProblem): boolean =>
  all.some((each) => isDeepStrictEqual(each, one));

export class ProblemReport {
  readonly #state: StateDirectory;
  readonly #logger: Logger;
  #problems: readonly ManifestProblem[] = [];
  #isKept = false;

  constructor(state: StateDirectory, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  /** What is wrong now. */
  get problems(): readonly ManifestProblem[] {
    return this.#problems;
  }

  /** Says what has changed. Never throws. */
  async tell(problems: readonly ManifestProblem[]): Promise<void> {
    const before = this.#problems;
    this.#problems = problems;
    for (const problem of problems) {
      const { file, line, column, message, key } = problem;
      if (!isIn(before, problem)) this.#logger.error({ file, line, column, key, err: message }, 'a manifest is wrong');
    }
    for (const problem of before) {
      const { file, line, column, key } = problem;
      if (!isIn(problems, problem))
        this.#logger.info({ file, line, column, key }, 'a manifest is no longer wrong there');
    }
    if (this.#isKept && isDeepStrictEqual(before, problems)) return;
    try {
      await this.#state.writeProblems(problems);
      this.#isKept = true;
    } catch (error) {
      this.#isKept = false;
      this.#logger.error({ err: String(error) }, 'what is wrong with the manifests can not be kept');
    }
  }
}
