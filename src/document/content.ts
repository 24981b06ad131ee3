import { delimiters, type Format, type TableFormat } from './formats.js';

/** What an object is, by its first bytes. */

/** Signatures at the beginning, in Latin-1, of types that a text could not be taken for. */
const signatures: readonly (readonly [string, string, offset?: number])[] = [
  ['%PDF-', 'application/pdf'],
  ['%!PS-Adobe', 'application/postscript'],
  ['{\\rtf', 'application/rtf'],
  ['PK\x03\x04', 'application/zip'],
  ['PK\x05\x06', 'application/zip'],
  ['\x1f\x8b', 'application/gzip'],
  ['BZh', 'application/x-bzip2'],
  ['\xfd7zXZ\x00', 'application/x-xz'],
  ['\x28\xb5\x2f\xfd', 'application/zstd'],
  ['\x04\x22\x4d\x18', 'application/x-lz4'],
  ['7z\xbc\xaf\x27\x1c', 'application/x-7z-compressed'],
  ['Rar!\x1a\x07', 'application/vnd.rar'],
  ['ustar', 'application/x-tar', 257],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['II*\x00', 'image/tiff'],
  ['MM\x00*', 'image/tiff'],
  ['8BPS\x00', 'image/vnd.adobe.photoshop'],
  ['WEBP', 'image/webp', 8],
  ['ID3', 'audio/mpeg'],
  ['fLaC', 'audio/flac'],
  ['OggS', 'audio/ogg'],
  ['WAVE', 'audio/wav', 8],
  ['ftyp', 'video/mp4', 4],
  ['\x1a\x45\xdf\xa3', 'video/x-matroska'],
  ['AVI ', 'video/x-msvideo', 8],
  ['PAR1', 'application/vnd.apache.parquet'],
  ['Obj\x01', 'application/vnd.apache.avro'],
  ['ORC', 'application/vnd.apache.orc'],
  ['ARROW1', 'application/vnd.apache.arrow.file'],
  ['SQLite format 3\x00', 'application/vnd.sqlite3'],
  ['\x89HDF\r\n', 'application/x-hdf5'],
  ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/x-ole-storage'],
  ['\x7fELF', 'application/octet-stream'],
  ['\xca\xfe\xba\xbe', 'application/octet-stream'],
  ['\x00asm', 'application/octet-stream'],
  ['wOFF', 'font/woff'],
  ['wOF2', 'font/woff2'],
];

/** Signatures that are words as well: taken only together with bytes that no text has. */
const wordLike = new Set([
  'BZh',
  'ID3',
  'ORC',
  'PAR1',
  'ARROW1',
  'ftyp',
  'WEBP',
  'WAVE',
  'AVI ',
  'wOFF',
  'wOF2',
  'ustar',
  'fLaC',
  'OggS',
]);

/** Media type of bytes that are not text; undefined where they may be. */
export function binaryType(head: Uint8Array, encoding: string): string | undefined {
  const wide = encoding.startsWith('utf-16');
  const binary = wide ? hasNulUnit(head) : hasControls(head);
  if (!wide) {
    const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 512)).toString('latin1');
    for (const [signature, type, offset = 0] of signatures) {
      if (start.startsWith(signature, offset) && (binary || !wordLike.has(signature))) return type;
    }
  }
  return binary ? 'application/octet-stream' : undefined;
}

/** A NUL, or more than one control character in twenty bytes; white space and escape sequences are text. */
function hasControls(head: Uint8Array): boolean {
  if (head.includes(0)) return true;
  let controls = 0;
  for (const byte of head) {
    if ((byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d) && byte !== 0x1b && byte !== 0x1a) || byte === 0x7f)
      controls += 1;
  }
  return controls > 2 && controls * 20 > head.length;
}

function hasNulUnit(head: Uint8Array): boolean {
  for (let i = 0; i + 1 < head.length; i += 2) if (head[i] === 0 && head[i + 1] === 0) return true;
  return false;
}

/** Format of text whose name says nothing. `head` is the decoded beginning, without a byte-order mark. */
export function formatOfText(head: string): Format {
  const start = head.trimStart();
  if (/^(?:<!--[^]*?-->\s*)?<(?:!doctype html|html|head|body)\b/i.test(start)) return 'html';
  if (/^<\?xml\b/i.test(start)) return /<(?:!doctype html|html)\b/i.test(start) ? 'html' : 'xml';
  if (isJsonLines(start)) return 'jsonl';
  // Wiki links and templates begin with brackets too: a name or an end must follow.
  if (/^\{\s*(?:"|\}\s*$)/.test(start) || /^\[\s*\{\s*"/.test(start)) return 'json';
  return 'text';
}

/** True where the first line is a JSON object and another one follows. */
export function isJsonLines(head: string): boolean {
  const start = head.trimStart();
  const end = start.search(/[\r\n]/);
  if (!start.startsWith('{') || end < 0) return false;
  if (!start.slice(end).trimStart().startsWith('{')) return false;
  try {
    JSON.parse(start.slice(0, end));
    return true;
  } catch {
    return false;
  }
}

/**
 * The delimiter of a `.csv`: programs write semicolons where the comma is the decimal sign. It is the
 * candidate that occurs most often outside quotes in the first line; the comma where none does.
 */
export function tableFormat(head: string): TableFormat {
  const firstLine =
    head
      .trimStart()
      .replace(/"(?:[^"]|"")*(?:"|$)/g, '')
      .split(/[\r\n]/, 1)[0] ?? '';
  let best: TableFormat = 'csv';
  let most = 0;
  for (const format of ['csv', 'ssv', 'tsv', 'psv'] as const) {
    const count = firstLine.split(String.fromCharCode(delimiters[format])).length - 1;
    if (count > most) [best, most] = [format, count];
  }
  return best;
}
