/** Runs the whole program and watches it from outside: time, peak memory, what its main thread takes of a core. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;
/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/**
 * @param {{ cli: string, args: readonly string[], env?: Record<string, string> }} options
 * @returns {Promise<{ summary: object, seconds: number, peakMb: number | undefined, mainThreadShare: number | undefined, othersShare: number | undefined }>}
 *   shares are of one core; `othersShare` is what everything else on the machine took, the servers above all
 */
export function measureCli({ cli, args, env = {} }) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const busyBefore = machineBusySeconds();
    const child = spawn(process.execPath, [cli, ...args, '--json', '--no-progress'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    let sample;
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
      const { peakMb, mainThreadSeconds, processSeconds } = sample ?? {};
      const busy = (machineBusySeconds() ?? 0) - (busyBefore ?? 0);
      resolve({
        summary: JSON.parse(stdout),
        seconds,
        peakMb,
        mainThreadShare: share(mainThreadSeconds, seconds),
        othersShare: processSeconds === undefined ? undefined : share(busy - processSeconds, seconds),
      });
    });
  });
}

/** From /proc; undefined elsewhere, and of a process that has ended. */
function sampleOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const cpuSeconds = (file) => {
      const fields = readFileSync(file, 'utf8').split(') ')[1].split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    };
    const peakKb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
    if (Number.isNaN(peakKb)) return undefined;
    return {
      peakMb: peakKb / 1024,
      mainThreadSeconds: cpuSeconds(`/proc/${pid}/task/${pid}/stat`),
      processSeconds: cpuSeconds(`/proc/${pid}/stat`),
    };
  } catch {
    return undefined;
  }
}

const share = (cpuSeconds, seconds) => (cpuSeconds === undefined ? undefined : cpuSeconds / seconds);

/** CPU seconds of all processes since boot; undefined where /proc does not tell. */
function machineBusySeconds() {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]
      .split(/\s+/);
    return (
      [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND
    );
  } catch {
    return undefined;
  }
}
