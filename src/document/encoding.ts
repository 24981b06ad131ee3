import type { Format } from './formats.js';

export interface Encoding {
  /** WHATWG label, lower case. */
  readonly label: string;
  /** Bytes of the byte-order mark; 0 where there is none. */
  readonly markBytes: number;
}

/**
 * A byte-order mark decides, then what an HTML or XML text declares of itself, else UTF-8.
 * Source: WHATWG Encoding §4.2, HTML §13.2.3.2.
 */
export function detectEncoding(head: Uint8Array, format: Format | undefined): Encoding {
  const [first, second, third] = head;
  if (first === 0xef && second === 0xbb && third === 0xbf) return { label: 'utf-8', markBytes: 3 };
  if (first === 0xff && second === 0xfe) return { label: 'utf-16le', markBytes: 2 };
  if (first === 0xfe && second === 0xff) return { label: 'utf-16be', markBytes: 2 };
  const declared = format === 'html' || format === 'xml' ? declaredEncoding(head) : undefined;
  return { label: declared ?? 'utf-8', markBytes: 0 };
}

function declaredEncoding(head: Uint8Array): string | undefined {
  const start = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');
  const declaration = /^\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([^"']+)["']/i.exec(start);
  const meta = /<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(start.replace(/<!--[^]*?-->/g, ''));
  return canonicalLabel(declaration?.[1]) ?? canonicalLabel(meta?.[1]);
}

/** undefined where nobody knows the label. A text that could be read this far is not in UTF-16. */
function canonicalLabel(label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  try {
    const { encoding } = new TextDecoder(label.trim());
    return encoding.startsWith('utf-16') ? 'utf-8' : encoding;
  } catch {
    return undefined;
  }
}

export interface Decoded {
  /** Without a byte-order mark. */
  readonly text: string;
  /** Replacement characters that stand for invalid bytes. */
  readonly invalidBytes: number;
}

const REPLACEMENT = '\ufffd';
const REPLACEMENT_UTF8 = Buffer.from(REPLACEMENT);

/**
 * What windows-1252 has at 0x80 to 0x9f, where Latin-1 has control characters. Some releases of Node decode
 * the former as the latter (nodejs/node#56542).
 */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** Invalid bytes become U+FFFD and are counted; a U+FFFD that was written as such is not. */
export function decode(bytes: Uint8Array, label: string): Decoded {
  const decoded = new TextDecoder(label).decode(bytes);
  const text =
    label === 'windows-1252'
      ? decoded.replace(/[\x80-\x9f]/g, (control) => WINDOWS_1252[control.charCodeAt(0) - 0x80] ?? control)
      : decoded;
  if (!text.includes(REPLACEMENT)) return { text, invalidBytes: 0 };
  const written =
    label === 'utf-8'
      ? occurrences(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), REPLACEMENT_UTF8)
      : 0;
  return { text, invalidBytes: occurrences(text, REPLACEMENT) - written };
}

function occurrences<Sought>(
  within: { indexOf(sought: Sought, from: number): number },
  sought: Sought & { readonly length: number },
): number {
  let count = 0;
  for (let at = within.indexOf(sought, 0); at >= 0; at = within.indexOf(sought, at + sought.length))
    count += 1;
  return count;
}
