/** Looks into an index over plain HTTP, by other means than the program's own. */
export interface StoredRow {
  readonly id: string;
  readonly source: {
    readonly text: string;
    readonly vector_field: readonly number[];
    readonly metadata: { readonly key: string; readonly source: string; readonly chunk: number };
  };
}

async function request(url: string, path: string, method = 'GET', body?: unknown): Promise<unknown> {
  const answer = await fetch(`${url}/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok && answer.status !== 404)
    throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

interface Page {
  readonly _scroll_id: string;
  readonly hits: {
    readonly hits: readonly { readonly _id: string; readonly _source: StoredRow['source'] }[];
  };
}

/** Everything that a search sees now; nothing is refreshed first. */
export async function scanIndex(url: string, index: string): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  let page = (await request(url, `${index}/_search?scroll=1m`, 'POST', { size: 2000 })) as Page;
  while (page.hits.hits.length > 0) {
    for (const { _id: id, _source: source } of page.hits.hits) rows.push({ id, source });
    page = (await request(url, '_search/scroll', 'POST', {
      scroll: '1m',
      scroll_id: page._scroll_id,
    })) as Page;
  }
  return rows;
}

export async function nearest(
  url: string,
  index: string,
  vector: readonly number[],
  k: number,
): Promise<StoredRow[]> {
  const query = { size: k, query: { knn: { vector_field: { vector, k } } } };
  const page = (await request(url, `${index}/_search`, 'POST', query)) as Page;
  return page.hits.hits.map(({ _id: id, _source: source }) => ({ id, source }));
}

export async function deleteIndex(url: string, index: string): Promise<void> {
  await request(url, index, 'DELETE');
}
