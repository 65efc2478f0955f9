/** Somebody has told already what is wrong, such as kubectl: there is nothing to add. */
export class Told extends Error {}
