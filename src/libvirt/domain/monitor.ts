/**
 * QEMU's own monitor through libvirt: program 0x20008087 of the protocol (qemu_protocol.x), JSON as QMP has it. libvirt
 * runs such a command under the domain's job, so never in the middle of an attach or a detach, and marks the domain as
 * tainted (`custom-monitor`).
 */
import { type Procedure, procedure, readString, writeDomain } from '../rpc/procedure.ts';
import type { Result } from '../../memory/result.ts';
import { isObject } from '../../memory/shape.ts';

export const qemuProgram = 0x20008087;

/** A command of QMP. */
export type MonitorCommand = { readonly execute: string; readonly arguments?: Readonly<Record<string, string>> };

/** QMP's answer. QEMU refuses with a class that is stable; the description is for people. */
export type MonitorAnswer = Result<unknown, { readonly class: string; readonly description: string }>;

/** QEMU_PROC_DOMAIN_MONITOR_COMMAND, with flags 0: JSON, no file descriptors. */
export const qemuDomainMonitorCommand: Procedure<{ uuid: string; command: MonitorCommand }, string> = procedure(
  1,
  'QEMU_DOMAIN_MONITOR_COMMAND',
  (writer, { uuid, command }) => {
    writeDomain(writer, uuid);
    writer.string(JSON.stringify(command)).uint32(0);
  },
  readString,
  { slow: true, program: qemuProgram },
);

/** The answer in what libvirt passed on (seen with libvirt 9.0: QEMU's line as it is, `id` included); null: none. */
export function readMonitorAnswer(text: string): MonitorAnswer | null {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(answer)) return null;
  if (Object.hasOwn(answer, 'return')) return { ok: true, value: answer['return'] };
  const { error } = answer;
  if (!isObject(error) || typeof error['class'] !== 'string') return null;
  const description = typeof error['desc'] === 'string' ? error['desc'] : 'no description';
  return { ok: false, error: { class: error['class'], description } };
}
