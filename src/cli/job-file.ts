import { readFile } from 'node:fs/promises';
import { EmbatchError, describeError } from '../core/errors.js';
import { createS3Client, parseS3Uri } from '../core/s3.js';

/** Reads a job file, YAML or JSON, from a path or `s3://…`. Error: USAGE. */
export async function readJobFile(uri: string): Promise<Record<string, unknown>> {
  const { parse } = await import('yaml');
  const text = await readText(uri).catch((error: unknown) => {
    throw new EmbatchError('USAGE', `the job file ${uri} cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  });
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw new EmbatchError('USAGE', `the job file ${uri} is neither YAML nor JSON: ${describeError(error)}`, {
      cause: error,
    });
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new EmbatchError(
      'USAGE',
      `the job file ${uri} must be a list of options, such as \`source: ./docs\`.`,
    );
  }
  return content as Record<string, unknown>;
}

async function readText(uri: string): Promise<string> {
  const location = parseS3Uri(uri);
  if (location === undefined) return readFile(uri, 'utf8');
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const client = await createS3Client();
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: location.bucket, Key: location.prefix }));
    return (await answer.Body?.transformToString()) ?? '';
  } finally {
    client.destroy();
  }
}
