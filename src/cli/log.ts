import pino from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Logger } from '../core/interfaces.js';

export interface LogOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'auto' | 'text' | 'json';
  /** Called around each line, so that a progress bar can step aside. */
  readonly around?: (write: () => void) => void;
}

/** Logs go to stderr at once, as text for people or as JSON lines for collectors; stdout is for results. */
export function createLogger({ level, format, around }: LogOptions): Logger {
  const { isTTY } = process.stderr;
  const pretty = prettyFactory({
    colorize: isTTY && process.env['NO_COLOR'] === undefined,
    ignore: 'time',
    singleLine: true,
  });
  const asText = format === 'text' || (format === 'auto' && isTTY);
  const write = (line: string): void => {
    const text = asText ? pretty(line) : line;
    if (around === undefined) process.stderr.write(text);
    else around(() => process.stderr.write(text));
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const at =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, details: Record<string, unknown> = {}): void => {
      logger[method](details, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
