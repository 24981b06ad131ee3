/** Passes HTTP on to a server and takes down each request: what it was, and how long it was under way. */
import { createServer, request as forward } from 'node:http';

/**
 * @param {string} upstream
 * @returns {Promise<{ url: string, take: () => { method: string, path: string, ms: number }[], close: () => Promise<void> }>}
 *   `take` gives the requests since it was last called
 */
export async function startCountingProxy(upstream) {
  let seen = [];
  const { hostname, port } = new URL(upstream);
  const server = createServer((incoming, outgoing) => {
    const started = performance.now();
    const { method, url: path, headers } = incoming;
    // The Host header stays the proxy's own: it is what the client signed.
    const onward = forward({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => seen.push({ method, path, ms: performance.now() - started }));
    incoming.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
