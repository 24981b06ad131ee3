import { createLogUpdate } from 'log-update';
import { counted } from '../core/units.js';
import type { Engine, EngineRequest } from '../engines/engine.js';
import type { FleetView } from '../job/fleet/follow.js';
import type { Submission } from '../job/fleet/submissions.js';
import { statusText } from './status-output.js';

/** A line for logs that are not a terminal. */
const LINE_EVERY_MS = 30_000;

/** What would be sent, and nothing else, so that it can be piped into the tool of the engine. */
export async function printRequests(
  requests: readonly EngineRequest[],
  format: 'json' | 'yaml',
  json: boolean,
): Promise<void> {
  if (json) {
    process.stdout.write(`${JSON.stringify(requests)}\n`);
    return;
  }
  const { stringify } = await import('yaml');
  const bodies = requests.map(({ call, body }) => {
    const text = format === 'yaml' ? stringify(body) : `${JSON.stringify(body, null, 2)}\n`;
    return call === undefined || format === 'json' ? text : `# ${call}\n${text}`;
  });
  process.stdout.write(bodies.join(format === 'yaml' ? '---\n' : ''));
}

/** What was started, and how to follow it. */
export function submittedText(submission: Submission, engine: Engine, state: string, json: boolean): string {
  const { name, shards, attempt, handle } = submission;
  const logs = engine.logsOf(submission);
  if (json)
    return `${JSON.stringify({ job: name, engine: engine.name, shards, attempt, handle, state, logs })}\n`;
  return [
    `${name}: ${counted(shards, 'shard')} on ${engine.place}`,
    `  logs    ${logs}`,
    `  follow  embatch status --watch --state ${state}`,
    '',
  ].join('\n');
}

export interface FleetEnd {
  readonly view: FleetView;
  readonly submission: Submission;
  readonly engine: Engine;
  readonly exitCode: number;
  readonly state: string;
  readonly json: boolean;
}

export interface FleetDisplay {
  show(view: FleetView): void;
  end(): void;
  /** The last words, on stdout. */
  result(end: FleetEnd): void;
}

export function createFleetDisplay(): FleetDisplay {
  const terminal = process.stderr.isTTY ? createLogUpdate(process.stderr) : undefined;
  let shownAt = -Infinity;
  return {
    show(view) {
      const text = viewText(view);
      if (terminal !== undefined) terminal(text);
      else if (performance.now() - shownAt >= LINE_EVERY_MS) {
        shownAt = performance.now();
        process.stderr.write(`${text.split('\n', 1)[0] ?? ''}\n`);
      }
    },
    end() {
      terminal?.clear();
    },
    result({ view, submission, engine, exitCode, state, json }) {
      const { name, shards } = submission;
      const logs = engine.logsOf(submission);
      if (json) {
        const { status, engine: told } = view;
        const fleet = { job: name, engine: engine.name, exitCode, state, logs, told, status };
        process.stdout.write(`${JSON.stringify(fleet)}\n`);
        return;
      }
      process.stdout.write(viewText(view));
      if (exitCode !== 0) process.stdout.write(`${name}, ${counted(shards, 'shard')}; logs: ${logs}\n`);
    },
  };
}

function viewText({ engine, status }: FleetView): string {
  const reason = engine?.reason === undefined ? '' : `${engine.reason}\n`;
  return `${status === undefined ? `no shard has begun yet (${engine?.phase ?? 'not known to the engine'})\n` : statusText(status)}${reason}`;
}
