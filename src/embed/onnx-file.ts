import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { EmbatchError, describeError, systemErrorCode } from '../core/errors.js';
import { refuseStandIn, STAND_IN_BYTES } from './stand-in.js';

/** What a graph file says of itself, read without loading its weights. */
export interface OnnxFile {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Names of all operators, also of those in subgraphs and functions. */
  readonly operators: ReadonlySet<string>;
  /** Files that hold weights, relative to the graph's folder, with `/`. */
  readonly externalFiles: readonly string[];
  /** The bytes that each of those must have at least, where the graph says so. */
  readonly externalBytes: ReadonlyMap<string, number>;
  /** Weights by how they are stored: numbers of each ONNX data type. */
  readonly elements: ReadonlyMap<number, number>;
}

export interface GraphValue {
  readonly name: string;
  /** ONNX data type, see {@link dataTypes}; 0 where it is no tensor. */
  readonly type: number;
  /** A name or nothing where the size is free. */
  readonly shape: readonly (number | string | undefined)[];
}

/** TensorProto.DataType of onnx.proto. */
export const dataTypes = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  float16: 10,
  uint4: 21,
  int4: 22,
} as const;

/**
 * Reads the structure of an ONNX file: walks the protobuf fields and skips over the weights, so that a graph of
 * gigabytes costs milliseconds. Field numbers: onnx.proto (ONNX 1.17). Error: MODEL.
 */
export function readOnnxFile(file: string): OnnxFile {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
  try {
    const found: Found = {
      inputs: [],
      outputs: [],
      operators: new Set(),
      externalFiles: new Set(),
      externalBytes: new Map(),
      elements: new Map(),
      graphs: 0,
    };
    const size = fstatSync(descriptor).size;
    const start = Buffer.alloc(STAND_IN_BYTES);
    refuseStandIn(file, start.toString('latin1', 0, readSync(descriptor, start, 0, STAND_IN_BYTES, 0)));
    const wire = createWire(descriptor);
    readModel(wire, { start: 0, end: size }, found);
    if (found.graphs === 0) throw new WireError('it holds no graph');
    return { ...found, externalFiles: [...found.externalFiles].sort() };
  } catch (error) {
    // A folder of that name can be opened, too, and only fails to be read.
    if (!(error instanceof WireError) && systemErrorCode(error) === undefined) throw error;
    throw new EmbatchError(
      'MODEL',
      `${file} is not an ONNX graph, or only a part of one: ${describeError(error)}. Fetch or export it again.`,
      { cause: error },
    );
  } finally {
    closeSync(descriptor);
  }
}

interface Found {
  readonly inputs: GraphValue[];
  readonly outputs: GraphValue[];
  readonly operators: Set<string>;
  readonly externalFiles: Set<string>;
  readonly externalBytes: Map<string, number>;
  readonly elements: Map<number, number>;
  graphs: number;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** One field: a number, or a range of bytes. */
interface Field extends Range {
  readonly number: number;
  readonly value: number;
}

class WireError extends Error {}

interface Wire {
  fields(range: Range): Iterable<Field>;
  bytes(range: Range): Buffer;
  text(range: Range): string;
}

function readModel(wire: Wire, range: Range, found: Found): void {
  for (const field of wire.fields(range)) {
    if (field.number === 7) {
      found.graphs++;
      readGraph(wire, field, found, 0);
    } else if (field.number === 25) {
      for (const node of wire.fields(field)) if (node.number === 7) readNode(wire, node, found, 0);
    }
  }
}

/** Graphs within graphs; the branches of real ones are nested a few deep. */
const MAX_DEPTH = 64;

function readGraph(wire: Wire, range: Range, found: Found, depth: number): void {
  if (depth > MAX_DEPTH) throw new WireError(`its graphs are nested more than ${MAX_DEPTH} deep`);
  for (const field of wire.fields(range)) {
    if (field.number === 1) readNode(wire, field, found, depth);
    else if (field.number === 5) readTensor(wire, field, found);
    else if (depth === 0 && field.number === 11) found.inputs.push(readValue(wire, field));
    else if (depth === 0 && field.number === 12) found.outputs.push(readValue(wire, field));
  }
}

function readNode(wire: Wire, range: Range, found: Found, depth: number): void {
  for (const field of wire.fields(range)) {
    if (field.number === 4) found.operators.add(wire.text(field));
    else if (field.number === 5) readAttribute(wire, field, found, depth);
  }
}

function readAttribute(wire: Wire, range: Range, found: Found, depth: number): void {
  for (const field of wire.fields(range)) {
    if (field.number === 5 || field.number === 10) readTensor(wire, field, found);
    else if (field.number === 6 || field.number === 11) readGraph(wire, field, found, depth + 1);
  }
}

function readTensor(wire: Wire, range: Range, found: Found): void {
  let elements = 1;
  let type = 0;
  const external = new Map<string, string>();
  for (const field of wire.fields(range)) {
    if (field.number === 1) for (const size of sizes(wire, field)) elements *= size;
    else if (field.number === 2) type = field.value;
    else if (field.number === 13) {
      const entry = new Map<number, string>();
      for (const part of wire.fields(field)) entry.set(part.number, wire.text(part));
      external.set(entry.get(1) ?? '', entry.get(2) ?? '');
    }
  }
  found.elements.set(type, (found.elements.get(type) ?? 0) + elements);
  const location = external.get('location');
  if (location === undefined) return;
  found.externalFiles.add(location);
  const end = Number(external.get('offset') ?? 0) + Number(external.get('length') ?? 0);
  if (end > 0) found.externalBytes.set(location, Math.max(end, found.externalBytes.get(location) ?? 0));
}

/** Repeated numbers come one by one or packed into one field. */
function* sizes(wire: Wire, field: Field): Iterable<number> {
  if (field.end === field.start) yield field.value;
  else yield* packed(wire, field);
}

function* packed(wire: Wire, range: Range): Iterable<number> {
  let value = 0;
  let scale = 1;
  for (const byte of wire.bytes(range)) {
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      yield value;
      value = 0;
      scale = 1;
    } else scale *= 128;
  }
}

function readValue(wire: Wire, range: Range): GraphValue {
  let name = '';
  let type = 0;
  const shape: (number | string | undefined)[] = [];
  for (const field of wire.fields(range)) {
    if (field.number === 1) name = wire.text(field);
    if (field.number !== 2) continue;
    for (const tensor of wire.fields(field)) {
      if (tensor.number !== 1) continue;
      for (const part of wire.fields(tensor)) {
        if (part.number === 1) type = part.value;
        else if (part.number === 2) {
          for (const dim of wire.fields(part)) if (dim.number === 1) shape.push(readDimension(wire, dim));
        }
      }
    }
  }
  return { name, type, shape };
}

function readDimension(wire: Wire, range: Range): number | string | undefined {
  for (const field of wire.fields(range)) {
    if (field.number === 1) return field.value;
    if (field.number === 2) return wire.text(field);
  }
  return undefined;
}

const WINDOW_BYTES = 64 * 2 ** 10;

/** Protobuf's wire format over a file, read a window at a time. */
function createWire(descriptor: number): Wire {
  const window = Buffer.alloc(WINDOW_BYTES);
  let windowStart = 0;
  let windowEnd = 0;

  const byteAt = (position: number): number => {
    if (position < windowStart || position >= windowEnd) {
      windowStart = position;
      windowEnd = position + readSync(descriptor, window, 0, WINDOW_BYTES, position);
      if (windowEnd === position) throw new WireError(`it ends at byte ${position}`);
    }
    return window[position - windowStart] as number;
  };
  const varint = (position: number): { value: number; next: number } => {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      const byte = byteAt(position + index);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return { value, next: position + index + 1 };
    }
    throw new WireError(`byte ${position} begins no number`);
  };

  const bytes = ({ start, end }: Range): Buffer => {
    const content = Buffer.alloc(end - start);
    const read = readSync(descriptor, content, 0, content.length, start);
    if (read < content.length) throw new WireError(`it ends at byte ${start + read}`);
    return content;
  };

  return {
    bytes,
    text: (range) => bytes(range).toString('utf8'),
    *fields({ start, end }) {
      for (let position = start; position < end;) {
        const tag = varint(position);
        const number = Math.floor(tag.value / 8);
        const kind = tag.value % 8;
        let field: Field;
        if (kind === 0) {
          const { value, next } = varint(tag.next);
          field = { number, value, start: next, end: next };
        } else if (kind === 2) {
          const { value, next } = varint(tag.next);
          field = { number, value: 0, start: next, end: next + value };
        } else if (kind === 1 || kind === 5) {
          const next = tag.next + (kind === 1 ? 8 : 4);
          field = { number, value: 0, start: next, end: next };
        } else {
          throw new WireError(`byte ${position} begins no field`);
        }
        if (number === 0 || field.end > end) {
          throw new WireError(`the field at byte ${position} reaches to ${field.end}, past ${end}`);
        }
        yield field;
        position = field.end;
      }
    },
  };
}
