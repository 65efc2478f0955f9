/** Tells systemd how far the agent is, where systemd started it (deploy/agent/dimmer-agent.service). */
import { execFile } from 'node:child_process';
import type { Logger } from '../../runtime/logger.ts';

/** systemd-notify waits until systemd has taken the message. */
const answerMs = 10_000;

/**
 * Passes `status` on for `systemctl status`; with `ready`, `systemctl start` returns too. systemd listens on a datagram
 * socket (sd_notify(3)), of which Node has none for UNIX addresses: systemd's own program speaks for us. Does nothing
 * where nobody asked (no NOTIFY_SOCKET), and never fails: what goes wrong is logged.
 */
export function tellServiceManager(
  message: { readonly status: string; readonly ready?: boolean },
  logger: Logger,
): Promise<void> {
  if ((process.env['NOTIFY_SOCKET'] ?? '') === '') return Promise.resolve();
  const args = [...(message.ready === true ? ['--ready'] : []), `--status=${message.status}`];
  return new Promise((resolve) => {
    execFile('systemd-notify', args, { timeout: answerMs }, (error) => {
      if (error !== null) logger.warn({ err: error.message }, 'systemd cannot be told how far the agent is');
      resolve();
    });
  });
}
