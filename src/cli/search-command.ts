import { searchIndex, type SearchResult } from '../job/search.js';
import { openSession } from './session.js';

/** Characters of a chunk that are shown. */
const SNIPPET_CHARACTERS = 280;

/** `embatch search`: gives the exit code. */
export async function searchCommand(question: string, flags: Record<string, unknown>): Promise<number> {
  const { options, log } = await openSession('search', flags);
  const result = await searchIndex(question, options, log);
  process.stdout.write(options.json ? `${JSON.stringify(asJson(result))}\n` : asText(result));
  return 0;
}

function asJson({ question, sink, model, hits }: SearchResult) {
  return {
    question,
    sink,
    model,
    hits: hits.map(({ id, score, text, metadata }) => ({
      id,
      score,
      title: metadata.title ?? null,
      source: metadata.source,
      snippet: snippet(text),
      text,
      metadata,
    })),
  };
}

function asText({ hits, sink }: SearchResult): string {
  if (hits.length === 0) return `${sink} is empty.\n`;
  return hits
    .map(({ score, text, metadata }, index) => {
      const { title, heading, key, source, record } = metadata;
      const place = record === undefined ? source : `${source} (record ${record})`;
      return `${index + 1}. ${nameOf(title ?? key, heading)}   ${score.toFixed(3)}\n   ${place}\n   ${snippet(text)}\n`;
    })
    .join('\n');
}

/** A document's first heading is often its title. */
function nameOf(title: string, heading: string | undefined): string {
  if (heading === undefined) return title;
  return heading.startsWith(title) ? heading : `${title} — ${heading}`;
}

function snippet(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (line.length <= SNIPPET_CHARACTERS) return line;
  const cut = line.slice(0, SNIPPET_CHARACTERS);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), SNIPPET_CHARACTERS / 2))} …`;
}
