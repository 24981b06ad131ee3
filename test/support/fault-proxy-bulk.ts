import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RefusesRow } from './fault-proxy.js';

interface Item {
  readonly status: number;
  readonly [name: string]: unknown;
}

/** Items by the name of their action: `index`, `create`, `delete`. */
type Answered = Readonly<Record<string, Item>>;

interface Action {
  readonly name: string;
  readonly id: string;
  /** Its lines, with line ends. */
  readonly lines: string;
  readonly source: string;
}

/** Plays a node that has no room, or no liking, for some rows of a bulk request; the others go to `upstream`. */
export async function refuseRows(
  upstream: string,
  refuses: RefusesRow,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  const actions = actionsOf(Buffer.concat(parts).toString('utf8'));
  const refusals = actions.map(({ source }, row) => refuses(row, source));
  const whole = refusals.find((refusal) => refusal?.ofRequest === true);
  if (whole !== undefined) {
    outgoing.writeHead(whole.status, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ error: whole.error, status: whole.status }));
    return;
  }
  const passed = actions.filter((_, row) => refusals[row] === undefined);
  const items = passed.length === 0 ? [] : await forward(upstream, incoming.url ?? '', passed);
  if (typeof items === 'string') {
    outgoing.writeHead(502, { 'content-type': 'text/plain' });
    outgoing.end(items);
    return;
  }
  const answered = items[Symbol.iterator]();
  const merged = actions.map(({ name, id }, row): unknown => {
    const refusal = refusals[row];
    return refusal === undefined ? answered.next().value : { [name]: { _id: id, ...refusal } };
  });
  outgoing.writeHead(200, { 'content-type': 'application/json' });
  outgoing.end(JSON.stringify({ took: 1, errors: passed.length < actions.length, items: merged }));
}

function actionsOf(body: string): Action[] {
  const lines = body.split('\n').slice(0, -1);
  const actions: Action[] = [];
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at] ?? '';
    const [[name, { _id: id }] = ['', { _id: '' }]] = Object.entries(
      JSON.parse(head) as Record<string, { readonly _id: string }>,
    );
    const source = name === 'delete' ? '' : (lines[++at] ?? '');
    actions.push({ name, id, lines: name === 'delete' ? `${head}\n` : `${head}\n${source}\n`, source });
  }
  return actions;
}

/** The answers to the actions; what the upstream said where it refused the request. */
async function forward(
  upstream: string,
  path: string,
  actions: readonly Action[],
): Promise<readonly Answered[] | string> {
  const answer = await fetch(`${upstream}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: actions.map(({ lines }) => lines).join(''),
  });
  const text = await answer.text();
  return answer.ok ? (JSON.parse(text) as { items: readonly Answered[] }).items : text;
}
