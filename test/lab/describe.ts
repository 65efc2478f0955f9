import { describe, test } from 'vitest';
import { nameLeftOut } from './left-out.ts';
import { STACK_PARTS, type LabPart, labProblem } from './needs.ts';

/**
 * A `describe` for tests on the lab. Where the lab can't run, it is left out with the reason in its name, which the run
 * tells at its end, or fails with that reason if LAB_STRICT=1 (CI): nothing is left out silently.
 */
export async function describeLab(
  name: string,
  body: () => void,
  parts: readonly LabPart[] = STACK_PARTS,
): Promise<void> {
  const problem = await labProblem(parts);
  if (problem === null) {
    describe(name, body);
  } else if (process.env['LAB_STRICT'] === '1') {
    describe(name, () => {
      test('needs the lab', () => {
        throw new Error(`LAB_STRICT=1, and ${problem}`);
      });
    });
  } else {
    describe.skip(nameLeftOut(name, problem), body);
  }
}
