import pino from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { Logger } from '../core/interfaces.js';

export interface LogOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'auto' | 'text' | 'json';
  /** Called around each line, so that a progress bar can step aside. */
  readonly around?: (write: () => void) => void;
}

/** Logs go to stderr at once, as text for people or as JSON lines for collectors; stdout is for results. */
export function createLogger({
  level,
  format,
  around = (write) => {
    write();
  },
}: LogOptions): Logger {
  const asText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  const pretty = asText
    ? PinoPretty({
        colorize: process.stderr.isTTY && process.env['NO_COLOR'] === undefined,
        ignore: 'pid,hostname,time',
        singleLine: true,
        destination: {
          write: (line: string) => {
            around(() => process.stderr.write(line));
          },
        } as NodeJS.WritableStream,
        sync: true,
      })
    : {
        write: (line: string) => {
          around(() => process.stderr.write(line));
        },
      };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pretty);
  const at =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, details: Record<string, unknown> = {}): void => {
      logger[method](details, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
