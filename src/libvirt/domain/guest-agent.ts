/**
 * The QEMU guest agent through libvirt (qemu_protocol.x, QEMU_PROC_DOMAIN_AGENT_COMMAND), which marks the domain as tainted
 * (`custom-ga-command`). Two commands, both of which only read. What comes back is the guest's word: bounded, and for
 * people only.
 */
import type { GuestBlocks } from '../../memory/guest-facts.ts';
import { isBytes } from '../../memory/bytes.ts';
import { type Procedure, procedure, readString, writeDomain } from '../rpc/procedure.ts';
import { qemuProgram } from './monitor.ts';
import { isObject } from '../../memory/shape.ts';

/** The commands that there are for us. */
export type GuestAgentCommand = 'guest-get-memory-block-info' | 'guest-get-memory-blocks';

/** For which an answer is waited, each; libvirt asks the guest to be in step first, which takes 5 s at most. */
const agentTimeoutSeconds = 3;

/** QEMU_PROC_DOMAIN_AGENT_COMMAND. An absent answer is ''. */
export const qemuDomainAgentCommand: Procedure<{ uuid: string; command: GuestAgentCommand }, string> = procedure(
  3,
  'QEMU_DOMAIN_AGENT_COMMAND',
  (writer, { uuid, command }) => {
    writeDomain(writer, uuid);
    writer
      .string(JSON.stringify({ execute: command }))
      .int32(agentTimeoutSeconds)
      .uint32(0);
  },
  (reader) => reader.optional(readString) ?? '',
  { slow: true, program: qemuProgram },
);

/** An answer for 16,384 blocks, which is 2 TiB in blocks of 128 MiB, takes about 1 MiB. */
const maxAnswer = 4 * 1024 * 1024;
const maxBlocks = 65_536;

/** The `return` of an answer; undefined: it is none. */
function returned(text: string): unknown {
  if (text.length > maxAnswer) return undefined;
  try {
    const answer: unknown = JSON.parse(text);
    return isObject(answer) ? answer['return'] : undefined;
  } catch {
    return undefined;
  }
}

/** What the two answers say together; null: they aren't understood. */
export function readGuestBlocks(info: string, blocks: string): GuestBlocks | null {
  const about = returned(info);
  const list = returned(blocks);
  const size = isObject(about) ? about['size'] : undefined;
  if (typeof size !== 'number' || !isBytes(size) || size === 0) return null;
  if (!Array.isArray(list) || list.length > maxBlocks) return null;
  let online = 0;
  for (const block of list as readonly unknown[]) {
    if (!isObject(block) || typeof block['online'] !== 'boolean') return null;
    if (block['online']) online += 1;
  }
  if (!isBytes(size * list.length)) return null;
  return { size, online, offline: list.length - online };
}
