/** One holder a key at a time, in order of arrival. */

/** Gives the lock back; does nothing the second time. */
export type Release = () => void;

export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();
  #held = 0;
  #idle: (() => void)[] = [];

  /** Holders and those that wait. */
  get pending(): number {
    return this.#held;
  }

  /** Waits for the key's turn. */
  async acquire(key: string): Promise<Release> {
    this.#held += 1;
    const before = this.#tails.get(key);
    let open: () => void = () => undefined;
    const tail = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#tails.set(key, tail);
    await before;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
      this.#held -= 1;
      open();
      if (this.#held === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
  }

  /** Runs `work` while holding the key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(key);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Resolves when nobody holds or waits for any key. */
  idle(): Promise<void> {
    if (this.#held === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
