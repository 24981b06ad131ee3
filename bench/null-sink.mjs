/** A sink that keeps nothing: what is measured with it is everything before it. */
export function createSink(uri) {
  return {
    uri,
    limits: { maxRows: 1000, maxBytes: 8_000_000, concurrency: 1 },
    leaseUri: undefined,
    inspect: () => Promise.resolve(undefined),
    prepare: (wanted) => Promise.resolve(wanted),
    sizeOf: ({ text }) => text.length,
    write: (rows) => Promise.resolve(rows.map(() => ({ ok: true, attempts: 1 }))),
    removeRows: () => Promise.resolve(0),
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
