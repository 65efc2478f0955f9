/** The programs of other systems that packages are made with. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Runs one with nothing of this machine's language or home in it. @throws Error with what it said
 * @param date seconds since 1970, for reproducible builds (https://reproducible-builds.org/specs/source-date-epoch/)
 */
export async function runTool(command: string, args: readonly string[], date: number): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(date) };
  try {
    const { stdout } = await execute(command, [...args], { env, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') {
      throw new Error(`there is no ${command}; Debian has it in the package ${packages[command] ?? command}`, {
        cause: error,
      });
    }
    throw new Error(`${command} failed: ${stderr ?? String(error)}`, { cause: error });
  }
}

const packages: Readonly<Record<string, string>> = { 'dpkg-deb': 'dpkg', rpmbuild: 'rpm' };
