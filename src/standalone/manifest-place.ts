/** Where something is in the manifests. */
export type Place = {
  /** Below the directory of manifests. */
  readonly file: string;
  /** From 1, as is the column. */
  readonly line: number;
  readonly column: number;
};

export const formatPlace = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;
