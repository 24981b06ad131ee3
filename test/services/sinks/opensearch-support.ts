/** What the tests of the OpenSearch sink ask of a server directly, past the code under test, and sinks to test. */
import type { IndexInfo, Row, Sink, WriteOutcome } from '#embatch/core/interfaces.js';
import type { OpenSearchOptions } from '#embatch/sinks/opensearch/config.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { aRow, infoFor } from '../../conformance/sink-rows.js';
import { recordingLogger, type RecordingLogger } from '../../support/recording-logger.js';

/** JSON of the answer; throws where the status is not 2xx. */
export async function call(
  method: string,
  url: string,
  body?: object | string,
): Promise<Readonly<Record<string, unknown>>> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const response = await fetch(url, {
    method,
    ...(text === undefined ? {} : { body: text, headers: { 'content-type': 'application/json' } }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answers ${response.status}: ${answer}`);
  return JSON.parse(answer) as Record<string, unknown>;
}

/** `opensearch+http://…` for the plain address of a test server. */
export function sinkUri(serverUrl: string, index: string): string {
  return `${serverUrl.replace(/^http:/, 'opensearch+http:').replace(/^https:/, 'opensearch:')}/${index}`;
}

/** Deletes what matches `pattern`, aliases and all. */
export async function removeIndices(serverUrl: string, pattern: string): Promise<void> {
  await call('DELETE', `${serverUrl}/${pattern}?ignore_unavailable=true&expand_wildcards=all`);
}

export async function makeForeignIndex(serverUrl: string, index: string): Promise<void> {
  await call('PUT', `${serverUrl}/${index}`, { settings: { number_of_replicas: 0 } });
  await call('PUT', `${serverUrl}/${index}/_doc/1?refresh=true`, { theirs: true });
}

/** The whole stored document, as any other program sees it. */
export async function storedDocument(
  serverUrl: string,
  index: string,
  id: string,
): Promise<Record<string, unknown>> {
  const answer = await call('GET', `${serverUrl}/${index}/_doc/${encodeURIComponent(id)}`);
  return answer['_source'] as Record<string, unknown>;
}

export async function countOf(serverUrl: string, index: string): Promise<number> {
  await call('POST', `${serverUrl}/${index}/_refresh`);
  return (await call('GET', `${serverUrl}/${index}/_count`))['count'] as number;
}

/** A sink with an index of its own on `serverUrl`, prepared; both are gone after `use`. */
export async function withSink(
  serverUrl: string,
  options: OpenSearchOptions,
  use: (place: TestPlace) => Promise<void>,
): Promise<void> {
  const index = `sink-${process.pid}-${indices++}`;
  const log = recordingLogger();
  const sink = createOpenSearchSink(sinkUri(serverUrl, index), { ...quick, ...options }, { log });
  try {
    const info = await sink.prepare(infoFor(DIMENSIONS));
    await use({ sink, index, info, log });
  } finally {
    await sink.close();
    await removeIndices(serverUrl, index);
  }
}

export interface TestPlace {
  readonly sink: Sink;
  readonly index: string;
  readonly info: IndexInfo;
  readonly log: RecordingLogger;
}

/** Pauses of a test, so that many tries fit into a second. */
const quick: OpenSearchOptions = { retryPauseMs: 5, blockedPauseMs: 20, replicas: 0 };
export const DIMENSIONS = 8;
let indices = 0;

export function rowsOf(count: number, dimensions = DIMENSIONS): Row[] {
  return Array.from({ length: count }, (_, n) => aRow(n, dimensions));
}

/** The words of a refusal; empty where there was none. */
export function reasonOf(outcome: WriteOutcome | undefined): string {
  return outcome?.ok === false ? outcome.reason : '';
}
