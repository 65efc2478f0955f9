/** Who runs this, for messages about rights. */
import { userInfo } from 'node:os';

export function describeUser(): string {
  try {
    return userInfo().username;
  } catch {
    // Not in the password database: a container, for example.
    return String(process.getuid?.() ?? 'unknown');
  }
}
