/**
 * What an object is, by its name. Content has the second word (content.ts).
 *
 * To add a format: name it here, give it extensions, say in read-parts.ts how its bytes become parts, and
 * in parse-part.ts how a part becomes documents.
 */

/** One part, one document; buffered whole. `json` may hold an array of records. */
export type WholeFormat = 'text' | 'markdown' | 'html' | 'xml' | 'json';
/** Delimited text, named after its delimiter: comma, semicolon, bar, tab. */
export type TableFormat = 'csv' | 'ssv' | 'psv' | 'tsv';
/** Many records; streamed. */
export type RecordFormat = 'jsonl' | TableFormat;
export type Format = WholeFormat | RecordFormat;

/** Code of the character between two cells. */
export const delimiters: Readonly<Record<TableFormat, number>> = {
  csv: 0x2c,
  ssv: 0x3b,
  psv: 0x7c,
  tsv: 0x09,
};

export function isTableFormat(format: string): format is TableFormat {
  return Object.hasOwn(delimiters, format);
}

export function isRecordFormat(format: string): format is RecordFormat {
  return format === 'jsonl' || isTableFormat(format);
}

/** What the name of an object promises. */
export interface NamedType {
  /** The name ends in `.gz`. */
  readonly gzip: boolean;
  /** undefined where the extension promises nothing: content decides. */
  readonly format: Format | undefined;
  /** Media type of what embatch does not read. */
  readonly unread: string | undefined;
}

/** By the extension of the last segment of the key, in any case; of `name.csv.gz` that is `csv`. */
export function typeOfKey(key: string): NamedType {
  const name = key.slice(key.lastIndexOf('/') + 1).toLowerCase();
  const gzip = name.endsWith('.gz');
  const extension = extensionOf(gzip ? name.slice(0, -'.gz'.length) : name);
  return { gzip, format: formats.get(extension), unread: unreadTypes.get(extension) };
}

/** Why an object need not even be opened, `type:application/pdf`; undefined where it may hold documents. */
export function unreadTypeOfKey(key: string): string | undefined {
  const { unread } = typeOfKey(key);
  return unread === undefined ? undefined : skipReason(unread);
}

/** The reason under which objects of a type that embatch does not read are counted. */
export function skipReason(mediaType: string): string {
  return `type:${mediaType}`;
}

/** Without the dot. A name that begins with its only dot (`.env`) has none. */
function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1) : '';
}

/** Source code and all other text need no entry: it is text because its content is. */
const formats = byExtension<Format>({
  text: 'txt text log rst adoc asciidoc tex',
  markdown: 'md markdown mdx',
  html: 'html htm xhtml',
  xml: 'xml',
  json: 'json',
  jsonl: 'jsonl ndjson',
  csv: 'csv',
  tsv: 'tsv',
});

/** Only extensions that no text has; content tells the others. */
const unreadTypes = byExtension<string>({
  'application/pdf': 'pdf',
  'application/postscript': 'ps eps',
  'application/rtf': 'rtf',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx docm dotx',
  'application/vnd.ms-excel': 'xls xlsb',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx xlsm',
  'application/vnd.ms-powerpoint': 'ppt pps',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx pptm ppsx',
  'application/vnd.oasis.opendocument.text': 'odt',
  'application/vnd.oasis.opendocument.spreadsheet': 'ods',
  'application/vnd.oasis.opendocument.presentation': 'odp',
  'application/epub+zip': 'epub',
  'application/vnd.ms-outlook': 'pst',
  'image/png': 'png',
  'image/jpeg': 'jpg jpeg',
  'image/gif': 'gif',
  'image/bmp': 'bmp',
  'image/tiff': 'tif tiff',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/heic': 'heic heif',
  'image/svg+xml': 'svg svgz',
  'image/vnd.microsoft.icon': 'ico',
  'image/vnd.adobe.photoshop': 'psd',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/flac': 'flac',
  'audio/ogg': 'ogg oga opus',
  'audio/mp4': 'm4a',
  'audio/aac': 'aac',
  'video/mp4': 'mp4 m4v',
  'video/quicktime': 'mov',
  'video/x-msvideo': 'avi',
  'video/x-matroska': 'mkv',
  'video/webm': 'webm',
  'video/mpeg': 'mpg mpeg',
  'application/zip': 'zip',
  'application/gzip': 'tgz gzip',
  'application/x-tar': 'tar',
  'application/x-bzip2': 'bz2 tbz2',
  'application/x-xz': 'xz txz',
  'application/zstd': 'zst',
  'application/x-lz4': 'lz4',
  'application/x-7z-compressed': '7z',
  'application/vnd.rar': 'rar',
  'application/java-archive': 'jar war ear',
  'application/vnd.apache.parquet': 'parquet',
  'application/vnd.apache.avro': 'avro',
  'application/vnd.apache.orc': 'orc',
  'application/vnd.apache.arrow.file': 'arrow feather',
  'application/vnd.sqlite3': 'sqlite sqlite3',
  'application/x-hdf5': 'h5 hdf5',
  'application/octet-stream': 'exe dll so dylib class pyc wasm iso dmg deb rpm apk npy npz onnx safetensors',
  'font/ttf': 'ttf',
  'font/otf': 'otf',
  'font/woff': 'woff',
  'font/woff2': 'woff2',
});

function byExtension<Value extends string>(
  table: Readonly<Partial<Record<Value, string>>>,
): ReadonlyMap<string, Value> {
  const entries = Object.entries(table) as [Value, string][];
  return new Map(
    entries.flatMap(([value, extensions]) => extensions.split(' ').map((name) => [name, value] as const)),
  );
}
