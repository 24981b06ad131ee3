/** Sizes and durations as people write them: `10MB`, `64KiB`, `500ms`, `3s`, `5m`. */

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** Bytes of a text such as `10MB`; undefined where it is none. A bare number counts bytes. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits, 'B');
}

/** Milliseconds of a text such as `5m`; undefined where it is none. A unit is required: `5` is ambiguous. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, durationUnitsMs, undefined);
}

function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  defaultUnit: string | undefined,
): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  if (!match) return undefined;
  const [, number = '', unit = ''] = match;
  const factor = units[unit === '' ? (defaultUnit ?? '') : unit];
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

/** `12.3 MB`; decimal units. */
export function formatBytes(bytes: number): string {
  const unit = (['TB', 'GB', 'MB', 'KB'] as const).find((name) => bytes >= (sizeUnits[name] ?? 0));
  return unit === undefined ? `${bytes} B` : `${trimmed(bytes / (sizeUnits[unit] ?? 1))} ${unit}`;
}

/** `850 ms`, `12.3 s`, `4 m 05 s`, `2 h 03 m`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} m ${pad(Math.floor((ms % 60_000) / 1000))} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

/** `1,234,567`. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

const pad = (value: number): string => String(value).padStart(2, '0');
const trimmed = (value: number): string =>
  value < 100 ? String(Number(value.toFixed(1))) : value.toFixed(0);

/** A number and what is counted: `1 object`, `2,000 objects`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
