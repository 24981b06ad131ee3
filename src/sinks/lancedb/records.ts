import {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  makeData,
  vectorFromArray,
  type Data,
  type DataType,
  type Vector,
} from 'apache-arrow';
import { parseIndexInfo } from '../../core/recipe.js';
import type { Hit, IndexInfo, Metadata, Row, RowFacts } from '../../core/interfaces.js';

/** Where the table's own metadata carries the index info, as JSON. */
const INFO_KEY = 'embatch';

/**
 * Lance then refuses to commit two concurrent merges that both insert one new id: the later one is repeated
 * and updates instead. Without it they leave duplicates, silently.
 */
const primaryKey = new Map([['lance-schema:unenforced-primary-key', 'true']]);

const metadataFields = [
  new Field('source', new Utf8(), false),
  new Field('key', new Utf8(), false),
  new Field('etag', new Utf8(), false),
  new Field('last_modified', new Utf8(), false),
  new Field('content_type', new Utf8(), true),
  new Field('title', new Utf8(), true),
  // JSON, `12` or `"12"`: a record is a number or a text, a column only one of them.
  new Field('record', new Utf8(), true),
  new Field('chunk', new Int32(), false),
  new Field('chunks', new Int32(), false),
  new Field('start', new Int32(), false),
  new Field('end', new Int32(), false),
  new Field('heading', new Utf8(), true),
  // JSON: every record may have other fields, and of other types.
  new Field('fields', new Utf8(), true),
];

const embatchFields = ['id', 'object', 'version', 'fingerprint'].map(
  (name) => new Field(name, new Utf8(), false),
);

/** Columns of the table (docs/design.md §8). */
export function tableSchema(info: IndexInfo): Schema {
  return new Schema(
    [
      new Field('id', new Utf8(), false, primaryKey),
      new Field('text', new Utf8(), false),
      // Lance makes the items nullable whatever is asked.
      new Field('vector', new FixedSizeList(info.dimensions, new Field('item', new Float32(), true)), false),
      new Field('metadata', new Struct(metadataFields), false),
      new Field('embatch', new Struct(embatchFields), false),
    ],
    new Map([[INFO_KEY, JSON.stringify(info)]]),
  );
}

/** undefined where the table is not ours. */
export function infoOfSchema(metadata: ReadonlyMap<string, string>): IndexInfo | undefined {
  try {
    return parseIndexInfo(JSON.parse(metadata.get(INFO_KEY) ?? 'null'));
  } catch {
    return undefined;
  }
}

/** One record batch; the vectors, all of `dimensions` numbers, are copied once and never made into lists. */
export function tableOfRows(rows: readonly Row[], info: IndexInfo): Table {
  const schema = tableSchema(info);
  const { dimensions } = info;
  const numbers = new Float32Array(rows.length * dimensions);
  for (const [n, row] of rows.entries()) numbers.set(row.vector, n * dimensions);
  const vectorField = schema.fields[2] as Field<FixedSizeList<Float32>>;
  const metadata = rows.map((row) => flatMetadata(row.metadata));
  const children: Data[] = [
    column(
      new Utf8(),
      rows.map((row) => row.id),
    ),
    column(
      new Utf8(),
      rows.map((row) => row.text),
    ),
    makeData({
      type: vectorField.type,
      length: rows.length,
      nullCount: 0,
      child: makeData({ type: new Float32(), data: numbers }),
    }),
    structColumn(metadataFields, metadata),
    structColumn(
      embatchFields,
      rows.map((row) => row.embatch),
    ),
  ];
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new Table(schema, [new RecordBatch(schema, data)]);
}

function column(type: DataType, values: readonly unknown[]): Data {
  const [data] = vectorFromArray(values, type).data;
  return data ?? makeData({ type, length: 0, nullCount: 0 });
}

function structColumn(fields: Field[], values: readonly object[]): Data {
  return makeData({
    type: new Struct(fields),
    length: values.length,
    nullCount: 0,
    children: fields.map(({ name, type }: Field<DataType>) =>
      column(
        type,
        values.map((value) => (value as Record<string, unknown>)[name] ?? null),
      ),
    ),
  });
}

function flatMetadata(metadata: Metadata): Record<string, unknown> {
  const { record, fields } = metadata;
  return {
    ...metadata,
    record: record === undefined ? null : JSON.stringify(record),
    fields: fields === undefined ? null : JSON.stringify(fields),
  };
}

/** The rows of a batch with all columns. */
export function* rowsOfBatch(batch: RecordBatch): Generator<Row> {
  const id = textColumn(batch.getChild('id'));
  const text = textColumn(batch.getChild('text'));
  const vector = batch.getChild('vector');
  const metadata = structReader(batch.getChild('metadata'), metadataFields);
  const embatch = structReader(batch.getChild('embatch'), embatchFields);
  for (let n = 0; n < batch.numRows; n++) {
    yield {
      id: id(n) ?? '',
      text: text(n) ?? '',
      // A copy: the array is a view into the whole batch.
      vector: (vector?.get(n) as { toArray(): Float32Array }).toArray().slice(),
      metadata: nestedMetadata(metadata(n)),
      embatch: embatch(n) as Row['embatch'],
    };
  }
}

/** Columns of a query for {@link factsOfBatch}: neither texts nor vectors are read for it. */
export const factColumns: ReadonlyMap<string, string> = new Map([
  ['id', 'id'],
  ['source', 'metadata.source'],
  ['record', 'metadata.record'],
  ['chunk', 'metadata.chunk'],
  ['chunks', 'metadata.chunks'],
  ['version', 'embatch.version'],
  ['fingerprint', 'embatch.fingerprint'],
]);

export function* factsOfBatch(batch: RecordBatch): Generator<RowFacts> {
  const textOf = (name: string): ((n: number) => string | undefined) => textColumn(batch.getChild(name));
  const [id, source, record] = [textOf('id'), textOf('source'), textOf('record')];
  const [version, fingerprint] = [textOf('version'), textOf('fingerprint')];
  const [chunk, chunks] = [batch.getChild('chunk'), batch.getChild('chunks')];
  for (let n = 0; n < batch.numRows; n++) {
    yield {
      id: id(n) ?? '',
      source: source(n) ?? '',
      record: recordOf(record(n)),
      chunk: chunk?.get(n) as number,
      chunks: chunks?.get(n) as number,
      version: version(n) ?? '',
      fingerprint: fingerprint(n) ?? '',
    };
  }
}

/** The hits of a batch with `id`, `text`, `metadata` and `_distance`, the cosine distance. */
export function* hitsOfBatch(batch: RecordBatch): Generator<Hit> {
  const id = textColumn(batch.getChild('id'));
  const text = textColumn(batch.getChild('text'));
  const metadata = structReader(batch.getChild('metadata'), metadataFields);
  const distance = batch.getChild('_distance');
  for (let n = 0; n < batch.numRows; n++) {
    yield {
      id: id(n) ?? '',
      score: 1 - (distance?.get(n) as number),
      text: text(n) ?? '',
      metadata: nestedMetadata(metadata(n)),
    };
  }
}

function recordOf(json: string | undefined): string | number | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as string | number);
}

function nestedMetadata({ record, fields, ...rest }: Record<string, unknown>): Metadata {
  return {
    ...rest,
    ...(typeof record === 'string' ? { record: recordOf(record) } : {}),
    ...(typeof fields === 'string' ? { fields: JSON.parse(fields) as Record<string, unknown> } : {}),
  } as Metadata;
}

/** Reads row `n` of a struct as an object; what is null is left out. */
function structReader(
  vector: Vector | null,
  fields: readonly Field[],
): (n: number) => Record<string, unknown> {
  const columns = fields.map(({ name, type }) => {
    const child = vector?.getChild(name) ?? null;
    return [name, type instanceof Utf8 ? textColumn(child) : (n: number): unknown => child?.get(n)] as const;
  });
  return (n) =>
    Object.fromEntries(
      columns
        .map(([name, read]) => [name, read(n)])
        .filter(([, value]) => value !== undefined && value !== null),
    ) as Record<string, unknown>;
}

// Arrow's own reader of texts swallows a leading U+FEFF.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function textColumn(vector: Vector | null): (n: number) => string | undefined {
  // A column of a record batch is one piece.
  const data = vector?.data[0] as Data<Utf8> | undefined;
  return (n) =>
    data?.getValid(n) === true
      ? utf8.decode(data.values.subarray(data.valueOffsets[n], data.valueOffsets[n + 1]))
      : undefined;
}
