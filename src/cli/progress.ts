import { createLogUpdate } from 'log-update';
import { formatBytes, formatCount, formatDuration } from '../core/units.js';
import type { Progress } from '../job/progress.js';

const REDRAW_MS = 200;
const LINE_EVERY_MS = 10_000;
/** Tokens per second are taken over this much of the recent past. */
const RATE_WINDOW_MS = 15_000;

export interface ProgressDisplay {
  /** Begins to show; the returned function ends it. */
  start(progress: () => Progress): () => void;
  /** Writes something else to stderr while the display steps aside. */
  around(write: () => void): void;
}

/** A line that is redrawn on a terminal, a line every 10 s otherwise; on stderr. */
export function createProgressDisplay(): ProgressDisplay {
  const terminal = process.stderr.isTTY ? createLogUpdate(process.stderr) : undefined;
  return {
    start(progress) {
      const rate = createRate();
      const draw = (): void => {
        const line = progressLine(progress(), rate);
        if (terminal === undefined) process.stderr.write(`${line}\n`);
        else terminal(line);
      };
      const timer = setInterval(draw, terminal === undefined ? LINE_EVERY_MS : REDRAW_MS);
      if (terminal !== undefined) draw();
      return () => {
        clearInterval(timer);
        terminal?.clear();
      };
    },
    around(write) {
      terminal?.clear();
      write();
    },
  };
}

function createRate(): (tokens: number) => number {
  const samples: { at: number; tokens: number }[] = [];
  return (tokens) => {
    const at = performance.now();
    samples.push({ at, tokens });
    while (samples.length > 2 && at - (samples[0]?.at ?? 0) > RATE_WINDOW_MS) samples.shift();
    const [oldest] = samples;
    return oldest === undefined || at === oldest.at
      ? 0
      : ((tokens - oldest.tokens) / (at - oldest.at)) * 1000;
  };
}

const BAR_WIDTH = 24;

function progressLine(progress: Progress, rate: (tokens: number) => number): string {
  const { seconds, settled, mine, total, failed, bytesRead, tokens, written, waitingOn } = progress;
  return [
    ...(total === undefined ? [] : [bar(settled, total)]),
    formatDuration(seconds * 1000),
    `${formatCount(settled)} of ${formatCount(total ?? mine)} objects${total === undefined ? ' listed so far' : ''}`,
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    `${formatBytes(bytesRead)} read`,
    `${formatCount(rate(tokens))} tokens/s`,
    `${formatCount(written)} vectors written`,
    `waiting on ${waitingOn}`,
  ].join('  ·  ');
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.round((done / total) * BAR_WIDTH);
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${'█'.repeat(filled)}${'░'.repeat(Math.max(0, BAR_WIDTH - filled))} ${percent} %`;
}
