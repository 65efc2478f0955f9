/** What an API server says, in words for people. */
import type { ApiFailure } from '../../kubernetes/api-client.ts';
import { Unreachable } from '../backend.ts';

/** A failure begins with its status, which is nothing for people. */
export const inWords = (message: string): string => message.replace(/^\d{3}: /, '').trim();

/** @throws Unreachable always */
export function unreachable({ message }: ApiFailure): never {
  throw new Unreachable(`the API server does not answer: ${inWords(message)}`);
}
