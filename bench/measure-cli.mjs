/** Runs the whole program and watches it from outside: time, peak memory, what its main thread takes of a core. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;
/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/**
 * @param {{ cli: string, args: readonly string[], env?: Record<string, string> }} options
 * @returns {Promise<{ summary: object, seconds: number, peakMb: number | undefined, mainThreadShare: number | undefined }>}
 */
export function measureCli({ cli, args, env = {} }) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [cli, ...args, '--json', '--no-progress'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    let sample = {};
    const timer = setInterval(() => (sample = sampleOf(child.pid) ?? sample), SAMPLE_MS);
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(timer);
      const seconds = (performance.now() - started) / 1000;
      if (code !== 0) {
        reject(new Error(`embatch ${args.join(' ')} ended with ${code}: ${stdout}`));
        return;
      }
      const { peakMb, mainThreadSeconds } = sample;
      const mainThreadShare = mainThreadSeconds === undefined ? undefined : mainThreadSeconds / seconds;
      resolve({ summary: JSON.parse(stdout), seconds, peakMb, mainThreadShare });
    });
  });
}

/** From /proc; undefined elsewhere, and of a process that has ended. */
function sampleOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const peakKb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
    if (Number.isNaN(peakKb)) return undefined;
    return {
      peakMb: peakKb / 1024,
      mainThreadSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    };
  } catch {
    return undefined;
  }
}
