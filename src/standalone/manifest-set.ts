/** What all files together say: which manifests count, and which don't for what is wrong with them. Pure. */
import { formatPlace } from './manifest-place.ts';
import type { Manifest, ManifestKey, ManifestProblem, ReadManifests } from './manifest.ts';

/** What a file said when it was last whole, and what is wrong with it now. */
export type FileReading = ReadManifests & {
  readonly name: string;
  /** As it was taken. */
  readonly text: string;
  readonly doubtMs: number;
  readonly sinceMs: number;
  /** It is being written: what it says is not the last word. */
  readonly isMoving: boolean;
};

export type Accepted = {
  readonly manifest: Manifest;
  /** Since when its file says so, and whether it may have been written piece by piece. */
  readonly reading: FileReading;
};

export type ManifestSet = {
  readonly accepted: readonly Accepted[];
  readonly problems: readonly ManifestProblem[];
  /** Resources that are there, but of which no manifest counts now: they stay as they are. */
  readonly held: ReadonlySet<ManifestKey>;
  /** False: a file can't be read, so that nothing is concluded from what isn't there. */
  readonly isComplete: boolean;
};

/** Looks at everything side by side. */
export function combine(readings: readonly FileReading[]): ManifestSet {
  const byKey = new Map<ManifestKey, Accepted[]>();
  for (const reading of readings) {
    for (const manifest of reading.manifests) {
      byKey.set(manifest.key, [...(byKey.get(manifest.key) ?? []), { manifest, reading }]);
    }
  }
  const problems = readings.flatMap((reading) => reading.problems);
  const spoiled = problems.flatMap(({ key }) => (key === undefined ? [] : [key]));
  const held = new Set<ManifestKey>(spoiled);
  const accepted: Accepted[] = [];
  for (const [key, [first, ...others]] of byKey) {
    if (first === undefined) continue;
    if (others.length === 0) {
      // Written twice, once wrongly: which of them is meant isn't known.
      if (!held.has(key)) accepted.push(first);
      continue;
    }
    held.add(key);
    const all = [first, ...others];
    // A file that has just been given another name is there twice for a moment.
    if (!all.some(({ reading }) => reading.isMoving))
      problems.push(...all.map(({ manifest }) => duplicate(manifest, all)));
  }
  return {
    accepted,
    problems,
    held,
    isComplete: readings.every(({ isWhole, isMoving }) => isWhole && !isMoving),
  };
}

function duplicate({ key, place }: Manifest, all: readonly Accepted[]): ManifestProblem {
  const others = all.filter(({ manifest }) => manifest.place !== place);
  const where = others.map(({ manifest }) => formatPlace(manifest.place)).join(', ');
  return { ...place, key, message: `${key} is also in ${where}: neither counts until one of them is taken away` };
}
