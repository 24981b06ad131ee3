/**
 * Loaded by `node --import` before the program: its clock runs `EMBATCH_TEST_CLOCK_SPEED` times as fast, so that minutes
 * of patience pass in seconds. The program itself is what users run.
 */
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const speed = Number(process.env['EMBATCH_TEST_CLOCK_SPEED'] ?? '1');

if (isMainThread && speed !== 1) {
  const wallStart = Date.now();
  const wall = Date.now.bind(Date);
  Date.now = () => wallStart + (wall() - wallStart) * speed;
  const steady = performance.now.bind(performance);
  Object.defineProperty(performance, 'now', { value: () => steady() * speed });

  // What takes milliseconds and gives a handle stays as it is but for the milliseconds.
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const real = globalThis[name];
    const fast = (work: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): NodeJS.Timeout =>
      real(work, ms / speed, ...args);
    Object.defineProperty(globalThis, name, { value: Object.assign(fast, real) });
  }
  // Of clients that give a silent connection up.
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called below with the socket as `this`
  const real = Socket.prototype.setTimeout;
  Socket.prototype.setTimeout = function (this: Socket, ms: number, ...rest) {
    return real.call(this, ms === 0 ? 0 : Math.max(1, ms / speed), ...rest);
  };
}
