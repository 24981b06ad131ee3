import { z } from 'zod';
import { EmbatchError } from '../../core/errors.js';
import type { Source, StateStore } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';

/** The name that a listing is found by; it is written last: where it is, all of the listing is. */
export const HEAD_NAME = 'listing.json';
/** Objects of a block: what is held of it at once. */
export const BLOCK_OBJECTS = 10_000;
const FORMAT = 1;

const blockSchema = z.object({
  name: z.string(),
  objects: z.int().min(1),
  /** Of the block as it is stored. */
  sha256: z.string(),
});

const headSchema = z.object({
  format: z.literal(FORMAT),
  source: z.string(),
  uri: z.string(),
  filters: z.object({
    include: z.array(z.string()),
    exclude: z.array(z.string()),
    limit: z.number().nullable(),
    hidden: z.boolean(),
    followLinks: z.boolean(),
  }),
  taken: z.string(),
  objects: z.int(),
  bytes: z.number(),
  blocks: z.array(blockSchema),
});

/** What a listing was taken of, when, and where its parts are. */
export type ListingHead = z.infer<typeof headSchema>;
export type ListingBlock = z.infer<typeof blockSchema>;

type Origin = Pick<ListingHead, 'format' | 'source' | 'uri' | 'filters'>;

/** What decides what is listed. */
export function originOf(source: Source, options: Options): Origin {
  const { include, exclude, limit = null, hidden, followLinks } = options;
  return {
    format: FORMAT,
    source: source.id,
    uri: source.uri,
    filters: { include: [...include], exclude: [...exclude], limit, hidden, followLinks },
  };
}

/** The head of a listing in this place; undefined where there is none. Errors: STATE, USAGE where it is not understood. */
export async function readHead(store: StateStore, signal?: AbortSignal): Promise<ListingHead | undefined> {
  const bytes = await store.get(HEAD_NAME, { signal });
  if (bytes === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // The same as a document of something else.
    parsed = undefined;
  }
  const head = headSchema.safeParse(parsed);
  if (head.success) return head.data;
  throw new EmbatchError(
    'USAGE',
    `${store.uri}/${HEAD_NAME} is no listing that this version understands: write it anew with \`embatch plan --write-manifest\`.`,
  );
}

/** Error: USAGE where the listing is of something else than what is asked for, naming the first difference. */
export function assertSameOrigin(head: ListingHead, wanted: Origin, uri: string): void {
  const pairs = [
    ['source', head.source, wanted.source],
    ['source', head.uri, wanted.uri],
    ...Object.entries(wanted.filters).map(
      ([name, value]) => [`--${name}`, head.filters[name as keyof typeof head.filters], value] as const,
    ),
  ] as const;
  for (const [name, has, wants] of pairs) {
    if (JSON.stringify(has) === JSON.stringify(wants)) continue;
    throw new EmbatchError(
      'USAGE',
      `--source-manifest ${uri} was taken of something else: ${name.replace('followLinks', 'follow-links')} was ` +
        `${JSON.stringify(has)}, and is ${JSON.stringify(wants)} now. Give what it was, or write it anew with \`embatch plan --write-manifest\`.`,
    );
  }
}
