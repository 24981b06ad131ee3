/**
 * A body of bytes, pulled: it can be looked into before it is read, and what was taken too much can be put
 * back. An error of the body is thrown where its bytes would have come, not while looking ahead.
 */
export class ByteInput {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  readonly #ready: Buffer[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** The first bytes, at least `length` where there are as many; they stay. */
  async peek(length: number): Promise<Buffer> {
    let ready = this.#ready.reduce((sum, chunk) => sum + chunk.length, 0);
    while (ready < length && (await this.#pull())) ready += this.#ready.at(-1)?.length ?? 0;
    const [first = Buffer.alloc(0)] = this.#ready;
    if (first.length >= length || this.#ready.length < 2) return first;
    const joined = Buffer.concat(this.#ready);
    this.#ready.splice(0, this.#ready.length, joined);
    return joined;
  }

  /** Exactly `length` bytes, fewer only at the end. */
  async take(length: number): Promise<Buffer> {
    const bytes = await this.peek(length);
    if (bytes.length < length) this.#throwFailure();
    this.#ready.shift();
    if (bytes.length > length) this.putBack(bytes.subarray(length));
    return bytes.subarray(0, length);
  }

  /** The next bytes as they come, never none; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    if (this.#ready.length === 0 && !(await this.#pull())) this.#throwFailure();
    return this.#ready.shift();
  }

  putBack(bytes: Buffer): void {
    if (bytes.length > 0) this.#ready.unshift(bytes);
  }

  /** Ends the body, read or not. Idempotent. */
  async close(): Promise<void> {
    this.#ready.length = 0;
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  /** False where nothing is left to come. */
  async #pull(): Promise<boolean> {
    while (!this.#ended) {
      this.#signal?.throwIfAborted();
      try {
        const next = await this.#iterator.next();
        if (next.done === true) {
          this.#ended = true;
        } else if (next.value.length > 0) {
          const { value } = next;
          this.#ready.push(Buffer.from(value.buffer, value.byteOffset, value.length));
          return true;
        }
      } catch (error) {
        this.#ended = true;
        this.#failure = { error };
      }
    }
    return false;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
