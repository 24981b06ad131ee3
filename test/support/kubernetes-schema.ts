import { readFile } from 'node:fs/promises';
import { testData } from './paths.js';

/** What a Kubernetes API server says of its objects, as far as we look at it (OpenAPI 3.0). */
export interface Schema {
  readonly type?: string;
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
}

export type Schemas = Readonly<Record<string, Schema>>;

/** The types that our manifests are made of. */
const kept = [
  ...['CronJob', 'CronJobSpec', 'Job', 'JobSpec', 'JobTemplateSpec'].map(
    (name) => `io.k8s.api.batch.v1.${name}`,
  ),
  ...['', 'Rule', 'OnExitCodesRequirement', 'OnPodConditionsPattern'].map(
    (name) => `io.k8s.api.batch.v1.PodFailurePolicy${name}`,
  ),
  ...[
    'Capabilities',
    'Container',
    'EmptyDirVolumeSource',
    'EnvFromSource',
    'EnvVar',
    'PodSecurityContext',
    'PodSpec',
    'PodTemplateSpec',
    'ResourceRequirements',
    'SeccompProfile',
    'SecretEnvSource',
    'SecurityContext',
    'Volume',
    'VolumeMount',
  ].map((name) => `io.k8s.api.core.v1.${name}`),
  'io.k8s.apimachinery.pkg.api.resource.Quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
];

const keywords = [
  'type',
  '$ref',
  'allOf',
  'oneOf',
  'required',
  'properties',
  'additionalProperties',
  'items',
];

/** Of the schemas of an API server those of our types, without words and defaults. */
export function trimmed(schemas: Schemas): Schemas {
  return Object.fromEntries(kept.sort().map((name) => [name, withoutWords(schemas[name] ?? {})]));
}

function withoutWords(schema: Schema): Schema {
  const entries = Object.entries(schema).filter(([keyword]) => keywords.includes(keyword));
  return Object.fromEntries(entries.map(([keyword, value]) => [keyword, withoutWordsBelow(keyword, value)]));
}

function withoutWordsBelow(keyword: string, value: unknown): unknown {
  // What a keyword holds is said by OpenAPI.
  if (keyword === 'properties') {
    const properties = Object.entries(value as Record<string, Schema>);
    return Object.fromEntries(properties.map(([name, schema]) => [name, withoutWords(schema)]));
  }
  if (keyword === 'allOf' || keyword === 'oneOf') return (value as Schema[]).map(withoutWords);
  return keyword === 'items' || keyword === 'additionalProperties' ? withoutWords(value as Schema) : value;
}

/** The schemas of test/data/kubernetes. */
export async function storedSchemas(): Promise<Schemas> {
  return JSON.parse(await readFile(testData('kubernetes/batch-v1.json'), 'utf8')) as Schemas;
}

/** What is wrong with a value, each with its path: unknown and missing fields, other types. */
export function violations(schemas: Schemas, schema: Schema, value: unknown, path = '$'): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/components/schemas/', '');
    const target = schemas[name];
    if (target === undefined) return [`${path}: ${name} is not among the schemas`];
    return violations(schemas, target, value, path);
  }
  if (schema.oneOf !== undefined) {
    const fits = schema.oneOf.some((one) => violations(schemas, one, value, path).length === 0);
    return fits ? [] : [`${path}: fits none of the choices`];
  }
  if (schema.allOf !== undefined) return schema.allOf.flatMap((one) => violations(schemas, one, value, path));
  switch (schema.type) {
    case 'object':
      return isObject(value) ? inObject(schemas, schema, value, path) : [`${path}: is no object`];
    case 'array':
      if (!Array.isArray(value)) return [`${path}: is no array`];
      return value.flatMap((item, index) =>
        violations(schemas, schema.items ?? {}, item, `${path}[${index}]`),
      );
    case 'integer':
      return Number.isSafeInteger(value) ? [] : [`${path}: is no whole number`];
    case 'string':
    case 'boolean':
    case 'number':
      return typeof value === schema.type ? [] : [`${path}: is no ${schema.type}`];
    default:
      return [`${path}: of a type that the schema does not tell`];
  }
}

function inObject(
  schemas: Schemas,
  { properties = {}, required = [], additionalProperties }: Schema,
  value: Readonly<Record<string, unknown>>,
  path: string,
): string[] {
  const missing = required
    .filter((name) => value[name] === undefined)
    .map((name) => `${path}.${name}: is missing`);
  const wrong = Object.entries(value).flatMap(([name, field]) => {
    const schema = properties[name] ?? additionalProperties;
    return schema === undefined
      ? [`${path}.${name}: is unknown`]
      : violations(schemas, schema, field, `${path}.${name}`);
  });
  return [...missing, ...wrong];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
