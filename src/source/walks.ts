import { compareUtf8 } from '../core/bytes-order.js';
import type { KeyPage, PagePlace } from './key-pages.js';
import { guessAhead, KeyDigits } from './key-space.js';

export interface WalksOptions<Entry> {
  /** Rejects where the page cannot be had. */
  readonly fetch: (place: PagePlace) => Promise<KeyPage<Entry>>;
  /** What all keys begin with. */
  readonly prefix: string;
  readonly keyOf: (entry: Entry) => string | undefined;
  /** Told once where the store turns out not to begin where it is told to. */
  readonly onSequential: (reason: unknown) => void;
}

/** A page, and up to which key its entries belong to the listing: what lies behind it comes with another page. */
export interface CutPage<Entry> {
  readonly entries: readonly Entry[];
  /** Inclusive; undefined: all of them. */
  readonly end: string | undefined;
}

/** Pages after which a listing that is waited for is long enough to be parted. */
const PAGES_ALONE = 4;
/** Requests under way at once. */
const MAX_REQUESTS = 16;
/** Pages that are held, those under way included: the bound on the memory. */
const MAX_PAGES = 64;
/** Pages that a part of the listing is meant to have. */
const PAGES_PER_WALK = 4;
/** Parts begun at once behind the last one, of which nothing is known but how dense the keys were before. */
const PARTS_AT_ONCE = 3;
const MIN_STRIDE = 1 / 16;
const MAX_STRIDE = 1024;
/** The share of what was fetched that may have been for nothing: fewer parts are begun the nearer it comes. */
const MAX_WASTE = 0.3;

/** A part of the listing: the keys behind `after` up to `end`. */
interface Walk<Entry> {
  readonly after: string | undefined;
  end: string | undefined;
  /** Fetched and not yet consumed. */
  readonly pages: KeyPage<Entry>[];
  token: string | undefined;
  fetched: number;
  /** Keys of the newest page. */
  newest: KeyPage<Entry> | undefined;
  /** There is nothing more to fetch: the store has no more, or the newest page reaches beyond the end. */
  isOver: boolean;
  /** Of pages, when this walk was last looked at to be parted. */
  partedAt: number;
  fetching: Promise<void> | undefined;
  failure: { readonly error: unknown } | undefined;
  /** Entries consumed. */
  taken: number;
}

/**
 * One listing, walked at several places at once and given in order. It begins alone, a page ahead of the consumer.
 * Where the consumer waits for pages, more walks are begun a few pages ahead of others, at keys that are guessed from how
 * dense the keys were so far. A guess decides how fast the listing goes, never what it holds: each walk ends where the next
 * one was begun. A store that begins elsewhere than it was told to is noticed by the first key that it gives, and is
 * walked alone.
 */
export class Walks<Entry> {
  readonly #options: WalksOptions<Entry>;
  readonly #digits = new KeyDigits();
  readonly #walks: Walk<Entry>[];
  readonly #running = new Set<Promise<void>>();
  #underWay = 0;
  /** Requests that may be under way: grows while the consumer waits. */
  #slots = 1;
  #isSequential = false;
  #fetched = 0;
  /** Pages' worth of what was fetched for nothing. */
  #wasted = 0;
  /** Factor to what the density of the keys suggests, learnt from how long walks turned out to be. */
  #stride = 1;
  #pageKeys = 1;
  #isClosed = false;

  constructor(options: WalksOptions<Entry>) {
    this.#options = options;
    this.#walks = [newWalk<Entry>(undefined, undefined)];
  }

  /** Rejects with the error of a page when its turn comes. To be closed when it is left. */
  async *pages(): AsyncGenerator<CutPage<Entry>, void, undefined> {
    for (let head = this.#walks[0]; head !== undefined; head = this.#walks[0]) {
      const [page] = head.pages;
      if (page === undefined) {
        if (head.failure !== undefined) throw head.failure.error;
        if (head.isOver) this.#end(head);
        else await this.#wait(head);
        continue;
      }
      const next = this.#walks[1];
      const isCut = reachesBeyond(page, head.end);
      // What is cut off is needed after all, should the next walk turn out not to begin where it was told to.
      if (isCut && next?.fetched === 0 && next.failure === undefined) {
        await this.#wait(next);
        continue;
      }
      head.pages.shift();
      head.taken += page.entries.length;
      this.#schedule();
      yield { entries: page.entries, end: isCut ? head.end : undefined };
    }
  }

  /** Resolves when no request is under way any more; the caller ends them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
  }

  async #wait(walk: Walk<Entry>): Promise<void> {
    if (this.#fetched >= PAGES_ALONE && !this.#isSequential) {
      this.#slots = Math.min(MAX_REQUESTS, this.#slots * 4);
    }
    this.#schedule();
    if (walk.fetching === undefined) this.#fetch(walk);
    await walk.fetching;
  }

  #end(walk: Walk<Entry>): void {
    this.#walks.shift();
    const isCut = walk.newest !== undefined && reachesBeyond(walk.newest, walk.end);
    // The store has no more behind it, whatever was guessed.
    if (walk.token === undefined && !isCut) this.#walks.length = 0;
    else this.#learnStride(walk);
  }

  #schedule(): void {
    if (this.#isClosed) return;
    for (const [index, walk] of this.#walks.entries()) {
      if (this.#underWay >= this.#slots && index > 0) return;
      if (walk.isOver || walk.failure !== undefined || walk.fetching !== undefined) continue;
      const isAwaited = index === 0 && walk.pages.length === 0;
      if (isAwaited || (this.#slots > 1 && this.#held() < MAX_PAGES)) this.#fetch(walk);
    }
    for (let index = 0; this.#slots > 1 && index < this.#walks.length; index++) {
      if (this.#underWay >= this.#slots || this.#held() >= MAX_PAGES) return;
      this.#part(index);
    }
  }

  #held(): number {
    return this.#walks.reduce((sum, { pages }) => sum + pages.length, this.#underWay);
  }

  #fetch(walk: Walk<Entry>): void {
    const { after, token } = walk;
    const settled = (): void => {
      this.#underWay -= 1;
      walk.fetching = undefined;
    };
    const arrive = async (): Promise<void> => {
      let page: KeyPage<Entry>;
      try {
        page = await this.#options.fetch({ after, token });
      } catch (error) {
        settled();
        if (after === undefined || walk.fetched > 0 || this.#isClosed) walk.failure = { error };
        // The walk before it goes on instead, and says what is wrong should that be the same.
        else this.#revert(walk, error);
        return;
      }
      settled();
      this.#arrived(walk, page);
    };
    const running = arrive().finally(() => {
      this.#running.delete(running);
      this.#schedule();
    });
    this.#underWay += 1;
    walk.fetching = running;
    this.#running.add(running);
  }

  #arrived(walk: Walk<Entry>, page: KeyPage<Entry>): void {
    const { after, end } = walk;
    this.#fetched += 1;
    this.#pageKeys = Math.max(this.#pageKeys, page.entries.length);
    if (walk.fetched === 0 && after !== undefined) {
      if (page.first !== undefined && compareUtf8(page.first, after) <= 0) {
        this.#revert(walk, new Error(`asked for keys after "${after}", it gave "${page.first}"`));
        return;
      }
      if (page.entries.length === 0) this.#wasted += 1;
    }
    walk.fetched += 1;
    walk.token = page.token;
    walk.newest = page;
    walk.pages.push(page);
    walk.isOver = page.token === undefined || reachesBeyond(page, end);
    if (this.#slots > 1) this.#learn(page);
    if (end !== undefined && reachesBeyond(page, end)) this.#wasted += this.#shareBeyond(page, end);
  }

  /** The store did not begin where it was told to: all that was begun so is forgotten. */
  #revert(walk: Walk<Entry>, reason: unknown): void {
    const index = this.#walks.indexOf(walk);
    const before = this.#walks[index - 1];
    if (before === undefined) return;
    this.#walks.length = index;
    before.end = undefined;
    before.isOver = before.fetched > 0 && before.token === undefined;
    if (!this.#isSequential) this.#options.onSequential(reason);
    this.#isSequential = true;
    this.#slots = 1;
  }

  /** Begins walks a few pages ahead of this one, where it may be long enough for that. */
  #part(index: number): void {
    const walk = this.#walks[index];
    if (walk?.newest === undefined || walk.isOver || walk.failure !== undefined) return;
    if (this.#isSequential || walk.partedAt === walk.fetched) return;
    walk.partedAt = walk.fetched;
    const ahead = this.#ahead(walk.newest);
    const worthwhile = Math.ceil(PARTS_AT_ONCE * (1 - this.#wasted / (MAX_WASTE * this.#fetched)));
    const free = Math.min(this.#slots - this.#underWay, MAX_PAGES - this.#held(), worthwhile);
    const within = ahead.filter((guess) => walk.end === undefined || compareUtf8(guess, walk.end) < 0);
    // The last one within a walk that has an end leaves too little behind it.
    const wanted = walk.end === undefined ? within.slice(0, PARTS_AT_ONCE) : within.slice(0, -1);
    const starts = wanted.filter((guess, i) => guess !== wanted[i - 1]).slice(0, Math.max(0, free));
    const begun = starts.map((after, i) => newWalk<Entry>(after, starts[i + 1] ?? walk.end));
    if (begun.length === 0) return;
    walk.end = starts[0];
    this.#walks.splice(index + 1, 0, ...begun);
    for (const each of begun) this.#fetch(each);
  }

  /** Keys that may lie one, two, … strides behind a page, ascending: one more than walks are begun. */
  #ahead(page: KeyPage<Entry>): string[] {
    const { first, last } = page;
    if (first === undefined || last === undefined || compareUtf8(first, last) >= 0) return [];
    this.#learn(page);
    const { prefix } = this.#options;
    const stride = PAGES_PER_WALK * this.#stride;
    const multiples = Array.from({ length: PARTS_AT_ONCE + 1 }, (_, part) => stride * (part + 1));
    return guessAhead(first.slice(prefix.length), last.slice(prefix.length), this.#digits, multiples)
      .map((guess) => prefix + guess)
      .filter((guess) => compareUtf8(guess, last) > 0);
  }

  /** Some keys of a page tell what its others are made of. */
  #learn({ entries }: KeyPage<Entry>): void {
    const step = Math.max(1, Math.floor(entries.length / 8));
    for (let i = 0; i < entries.length; i += step) {
      const entry = entries[i];
      const key = entry === undefined ? undefined : this.#options.keyOf(entry);
      if (key !== undefined) this.#digits.learn(key.slice(this.#options.prefix.length));
    }
  }

  /** A walk that was far shorter or longer than meant: the next ones are begun farther apart, or nearer. */
  #learnStride({ taken }: Walk<Entry>): void {
    const pages = taken / this.#pageKeys;
    if (pages < PAGES_PER_WALK / 2) this.#stride = Math.min(MAX_STRIDE, this.#stride * 1.5);
    if (pages > PAGES_PER_WALK * 2) this.#stride = Math.max(MIN_STRIDE, this.#stride / 1.5);
  }

  #shareBeyond({ entries }: KeyPage<Entry>, end: string): number {
    const beyond = entries.filter((entry) => {
      const key = this.#options.keyOf(entry);
      return key !== undefined && compareUtf8(key, end) > 0;
    }).length;
    return beyond / this.#pageKeys;
  }
}

function newWalk<Entry>(after: string | undefined, end: string | undefined): Walk<Entry> {
  return {
    after,
    end,
    pages: [],
    token: undefined,
    fetched: 0,
    newest: undefined,
    isOver: false,
    partedAt: 0,
    fetching: undefined,
    failure: undefined,
    taken: 0,
  };
}

function reachesBeyond({ last }: KeyPage<unknown>, end: string | undefined): boolean {
  return end !== undefined && last !== undefined && compareUtf8(last, end) > 0;
}
