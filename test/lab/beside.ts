import { describe } from 'vitest';

/**
 * Tests that run one after the other, beside the other such groups that stand next to it: most of what a lab's tests do is
 * to wait, for a guest's reports or a timer of the product. Each group has guests of its own.
 */
export function beside(name: string, body: () => void): void {
  describe(name, { concurrent: true }, () => {
    describe('in turn', { concurrent: false }, body);
  });
}
