/**
 * Runs a server for as long as somebody holds this process's stdin open: `node keeper.mjs command args…`.
 * When the starter ends in whatever way, kill -9 included, the pipe closes and the server is stopped.
 */
import { spawn } from 'node:child_process';

const patienceMs = 20_000;
const [command, ...args] = process.argv.slice(2);
const server = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });

function stop() {
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), patienceMs).unref();
}

server.once('error', (error) => {
  console.error(error.message);
  process.exit(127);
});
server.once('exit', (code, signal) => {
  console.error(`ended with ${signal ?? `exit code ${String(code)}`}`);
  process.exit(code ?? 1);
});
process.stdin.resume().once('close', stop);
process.once('SIGTERM', stop);
// A terminal's Ctrl-C is for the tests; they still need the server while they end.
process.on('SIGINT', () => undefined);
