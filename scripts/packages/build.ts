/** What is said of a package that is to be made. */
export type Build = {
  readonly version: string;
  /** Of the package, for one version of the program. */
  readonly revision: string;
  /** As Node calls it: x64, arm64. */
  readonly architecture: string;
  /** Seconds since 1970: what everything in the package is said to be of. */
  readonly date: number;
  readonly compression: 'small' | 'none';
  /** Empty; whoever gives it removes it. */
  readonly workDirectory: string;
  readonly outputDirectory: string;
};
