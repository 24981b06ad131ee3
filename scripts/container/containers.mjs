/** Containers of one image, as the checks need them: everything that is started is also ended. */
import { capture, run, ScriptError } from '../lib/process.mjs';

/** No container of a check takes longer. */
const PATIENCE_MS = 180_000;
const POLL_MS = 20;

/**
 * @param {import('./tools.mjs').Tools} tools
 * @param {string} image
 */
export function createContainers({ command: [program, ...words], runOptions }, image) {
  let count = 0;
  const started = new Set();
  const tell = (...args) => capture(program, [...words, ...args]);

  /**
   * Starts the image.
   * @param {readonly string[]} args of its entry point
   * @param {readonly string[]} [options] of `docker run`
   * @returns {{ name: string, ended: Promise<{ code: number, stdout: string, stderr: string }> }}
   */
  function start(args, options = []) {
    const name = `embatch-check-${String(process.pid)}-${String(++count)}`;
    started.add(name);
    const ended = capture(
      program,
      [...words, 'run', '--rm', '--name', name, ...runOptions, ...options, image, ...args],
      { timeout: PATIENCE_MS },
    ).finally(() => started.delete(name));
    return { name, ended };
  }

  return {
    start,
    run: (args, options) => start(args, options).ended,
    /** @param {string} format a Go template over the image's own description */
    async inspectImage(format) {
      const { code, stdout, stderr } = await tell('image', 'inspect', '--format', format, image);
      if (code !== 0) throw new ScriptError(`cannot inspect ${image}: ${stderr}`);
      return stdout.trim();
    },
    /** The process of the container as this machine sees it. */
    async pidOf(name) {
      const { code, stdout } = await tell('inspect', '--format', '{{.State.Pid}}', name);
      return code === 0 && Number(stdout) > 0 ? Number(stdout) : undefined;
    },
    async kill(name, signal) {
      const { code, stderr } = await tell('kill', '--signal', signal, name);
      if (code !== 0) throw new ScriptError(`cannot send ${signal} to ${name}: ${stderr}`);
    },
    async close() {
      await Promise.all(
        [...started].map((name) => run(program, [...words, 'rm', '-f', name], { stdio: 'ignore' })),
      );
    },
  };
}

/** Resolves with the first answer that is something. */
export async function eventually(what, ask) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new ScriptError(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
