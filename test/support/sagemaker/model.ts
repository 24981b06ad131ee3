import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../paths.js';

interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly members?: Readonly<Record<string, string>>;
  readonly member?: string;
  readonly key?: string;
  readonly value?: string;
}

interface Model {
  readonly operations: Readonly<Record<string, { readonly input: string }>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

const file = join(projectRoot, 'test/data/sagemaker/processing-jobs.json');
const model = JSON.parse(readFileSync(file, 'utf8')) as Model;

export const operations = Object.keys(model.operations);

/** What the service's own model has against a request; empty where it has nothing. */
export function violations(operation: string, request: unknown): string[] {
  const input = model.operations[operation]?.input;
  return input === undefined ? [`there is no operation ${operation}`] : [...judge(input, request, '')];
}

function* judge(name: string, value: unknown, at: string): Generator<string, void> {
  const shape = model.shapes[name];
  if (shape === undefined) throw new Error(`the fixture lacks the shape ${name}`);
  const what = at === '' ? 'the request' : at;
  switch (shape.type) {
    case 'structure':
      if (!isObject(value)) {
        yield `${what} is no structure`;
        return;
      }
      yield* judgeStructure(shape, value, at);
      return;
    case 'map':
      if (!isObject(value)) {
        yield `${what} is no map`;
        return;
      }
      yield* judgeRange(shape, Object.keys(value).length, `entries of ${what}`);
      for (const [key, entry] of Object.entries(value)) {
        yield* judge(shape.key ?? '', key, `a key of ${what}`);
        yield* judge(shape.value ?? '', entry, `${what}.${key}`);
      }
      return;
    case 'list':
      if (!Array.isArray(value)) {
        yield `${what} is no list`;
        return;
      }
      yield* judgeRange(shape, value.length, `entries of ${what}`);
      for (const [index, entry] of value.entries())
        yield* judge(shape.member ?? '', entry, `${what}[${index}]`);
      return;
    case 'string':
      if (typeof value !== 'string') {
        yield `${what} is no string`;
        return;
      }
      yield* judgeRange(shape, value.length, `length of ${what}`);
      if (shape.enum?.includes(value) === false) yield `${what} is "${value}", which is not in its enum`;
      if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`, 'u').test(value))
        yield `${what} is "${value}", which is not of the pattern ${shape.pattern}`;
      return;
    case 'integer':
    case 'long':
      if (!Number.isInteger(value)) {
        yield `${what} is no whole number`;
        return;
      }
      yield* judgeRange(shape, Number(value), what);
      return;
    case 'boolean':
      if (typeof value !== 'boolean') yield `${what} is not true or false`;
      return;
    default:
      throw new Error(`the fixture has a shape of type ${shape.type}`);
  }
}

function* judgeStructure(
  shape: Shape,
  value: Readonly<Record<string, unknown>>,
  at: string,
): Generator<string, void> {
  const path = (name: string): string => (at === '' ? name : `${at}.${name}`);
  for (const name of shape.required ?? []) if (value[name] === undefined) yield `${path(name)} is required`;
  for (const [name, entry] of Object.entries(value)) {
    const member = shape.members?.[name];
    if (member === undefined) yield `${path(name)} is unknown`;
    else yield* judge(member, entry, path(name));
  }
}

function* judgeRange({ min, max }: Shape, value: number, what: string): Generator<string, void> {
  if (min !== undefined && value < min) yield `${what} is ${value}, less than ${min}`;
  if (max !== undefined && value > max) yield `${what} is ${value}, more than ${max}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
