import picomatch from 'picomatch/posix.js';
import { describeError, EmbatchError } from '../core/errors.js';
import type { Abortable, Logger, Source, SourceObject } from '../core/interfaces.js';

export interface FilterOptions {
  /** Globs; without any, every key is taken. */
  readonly include?: readonly string[] | undefined;
  /** Globs; a key that one of them matches is left out, whatever `include` says. */
  readonly exclude?: readonly string[] | undefined;
  /** Only the first so many keys of the listing that the globs leave: the same ones for every shard. */
  readonly limit?: number | undefined;
}

/** A source that knows which beginning of its keys globs need not repeat. */
export interface GlobbedSource extends Omit<Source, 'covers'> {
  /** As `Source.covers` without filters. */
  readonly reaches: (key: string) => boolean;
  /**
   * What became of an object that was not listed: `there`, but left out for other reasons than globs, such as a hidden
   * file; `unknown` where a folder cannot be entered. Absent: what is not listed is `gone`.
   */
  readonly fateOf?: (key: string) => Promise<'gone' | 'there' | 'unknown'>;
  /**
   * The folder part of an S3 prefix, with its final slash; empty for folders. A glob matches a key where it
   * matches the whole of it or what follows this base.
   */
  readonly globBase: string;
}

export interface Filter {
  /** Whether the globs take this key of a source with this `globBase`. */
  readonly takes: (key: string, globBase: string) => boolean;
  readonly limit: number | undefined;
}

/**
 * Globs as in `.gitignore`, without its negation: one without a slash matches names at any depth (`*.md`), one
 * with a slash is anchored at the root (`docs/*.md`, `/README.md`), a final slash means folders only, and what
 * lies in a folder that matches is matched too (`drafts`). `**`, `{a,b}` and `[a-z]` work; a leading dot is
 * nothing special. Error: USAGE for a glob that is not closed.
 */
export function compileFilter({ include = [], exclude = [], limit }: FilterOptions): Filter {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw new EmbatchError('USAGE', `--limit must be a whole number above 0, not ${String(limit)}.`);
  }
  const included = include.length === 0 ? () => true : anyOf(include, '--include');
  const excluded = anyOf(exclude, '--exclude');
  return {
    limit,
    takes(key, globBase) {
      const whole = withoutDotSegments(key);
      const base = withoutDotSegments(globBase);
      const names = base !== '' && whole.startsWith(base) ? [whole, whole.slice(base.length)] : [whole];
      return names.some(included) && !names.some(excluded);
    },
  };
}

/** The same source with fewer objects; opens whatever it is given. */
export function filterSource(source: GlobbedSource, filter: Filter, log: Logger): Source {
  return {
    id: source.id,
    uri: source.uri,
    ...(source.opensRanges === undefined ? {} : { opensRanges: source.opensRanges }),
    list: (options) => listFiltered(source, filter, log, options),
    async covers(key, { filters = true } = {}) {
      if (!source.reaches(key) || (filters && !filter.takes(key, source.globBase))) return false;
      const fate = (await source.fateOf?.(key)) ?? 'gone';
      return fate === 'gone' || (!filters && fate === 'there');
    },
    open: (object, options) => source.open(object, options),
    close: () => source.close(),
  };
}

async function* listFiltered(
  source: GlobbedSource,
  { takes, limit = Infinity }: Filter,
  log: Logger,
  options?: Abortable,
): AsyncGenerator<SourceObject, void, undefined> {
  let seen = 0;
  let taken = 0;
  for await (const object of source.list(options)) {
    seen++;
    if (!takes(object.key, source.globBase)) continue;
    yield object;
    if (++taken >= limit) return;
  }
  if (taken === 0 && seen > 0) {
    log.warn(`None of the ${String(seen)} objects of ${source.uri} passes --include and --exclude.`);
  }
}

/** Which hidden names a glob asks for by a segment of its own that begins with a dot (`.github/**`). */
export function namesHidden(include: readonly string[] = []): (name: string) => boolean {
  const segments = include
    .flatMap((glob) => glob.split('/'))
    .filter(
      (segment) => (segment.startsWith('.') && !/^\.{1,2}$/.test(segment)) || segment === 'node_modules',
    );
  const matchers = segments.map((segment) => compile(segment, '--include'));
  return (name) => matchers.some((matches) => matches(name));
}

/** In an S3 key `.` and `..` are names like any other, but no glob of picomatch takes them. */
function withoutDotSegments(key: string): string {
  return key.replace(/(?<=^|\/)\.{1,2}(?=\/|$)/g, 'dots');
}

function anyOf(globs: readonly string[], option: string): (key: string) => boolean {
  const matchers = globs.flatMap((glob) =>
    expand(glob, option).map((pattern) => compile(pattern, option, glob)),
  );
  return (key) => matchers.some((matches) => matches(key));
}

function expand(glob: string, option: string): string[] {
  const rooted = glob.replace(/^(?:\.?\/)+/, '');
  const bare = rooted.replace(/\/+$/, '');
  if (bare === '') {
    throw new EmbatchError(
      'USAGE',
      `${option} "${glob}" matches nothing: write a glob such as "*.md" or "docs/".`,
    );
  }
  const anchored = rooted !== glob || bare.includes('/');
  const pattern = anchored ? bare : `**/${bare}`;
  const below = `${pattern}/**/*`;
  return rooted === bare ? [pattern, below] : [below];
}

function compile(pattern: string, option: string, glob: string = pattern): (name: string) => boolean {
  try {
    // Keys may hold line breaks, which a regular expression's dot takes only with the flag `s`.
    return picomatch(pattern, { dot: true, nonegate: true, strictBrackets: true, flags: 's' });
  } catch (error) {
    throw new EmbatchError('USAGE', `${option} "${glob}" is not a valid glob: ${describeError(error)}.`, {
      cause: error,
    });
  }
}
