import { readFileSync } from 'node:fs';
import { systemErrorCode } from './errors.js';

/** Whether a process of this machine is at work. One that has ended and that nobody has asked after yet is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    // Someone else's process is alive, too.
    return systemErrorCode(error) === 'EPERM';
  }
}

/** After a name in brackets, which may hold anything, comes the state. Source: proc_pid_stat(5). */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    // No Linux, or gone just now: what the signal has told stands.
    return false;
  }
}
