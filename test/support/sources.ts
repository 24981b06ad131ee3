import type { OpenObject, Source, SourceObject } from '#embatch/core/interfaces.js';

export async function collect(source: Pick<Source, 'list'>): Promise<SourceObject[]> {
  const objects: SourceObject[] = [];
  for await (const object of source.list()) objects.push(object);
  return objects;
}

export async function collectKeys(source: Pick<Source, 'list'>): Promise<string[]> {
  return (await collect(source)).map(({ key }) => key);
}

export async function readAll({ body }: OpenObject): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
