/** The order of a host's events, by their ids: a prefix that is another with every start of the agent, and a number. */

type Place = { readonly prefix: string; readonly number: number };

const placeOf = (id: string): Place | null => {
  const match = /^(.{1,64})-(\d{1,15})$/.exec(id);
  return match?.[1] === undefined ? null : { prefix: match[1], number: Number(match[2]) };
};

/**
 * Whether an observation made when `asOf` was the newest event shows what the event `id` tells of.
 * False where that can't be told: one of them isn't known, or they are of different starts of the agent.
 */
export function isShownAsOf(id: string | undefined, asOf: string | undefined): boolean {
  const event = id === undefined ? null : placeOf(id);
  const look = asOf === undefined ? null : placeOf(asOf);
  return event !== null && look !== null && event.prefix === look.prefix && event.number <= look.number;
}
