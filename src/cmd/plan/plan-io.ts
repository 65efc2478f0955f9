import type { CommandIo } from '../io.ts';

/** What `dimmer plan` needs of its surroundings. */
export type PlanIo = Pick<CommandIo, 'stdin' | 'stdout' | 'stderr'>;

/** All of a stream as text. */
export async function readAll(stream: PlanIo['stdin']): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
