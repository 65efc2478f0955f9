/** metav1.MicroTime of an epoch millisecond. */
export const microTime = (epochMs: number): string => new Date(epochMs).toISOString().replace('Z', '000Z');
