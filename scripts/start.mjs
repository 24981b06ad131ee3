/**
 * npm start: sets up what is missing, then indexes the project's own manual with the bundled model.
 * Further arguments go to `embatch run`: npm start -- --limit 3
 */
import { setup } from './setup.mjs';
import { run, runMain } from './lib/process.mjs';
import { at } from './lib/project.mjs';

const nextCommands = `
That was the manual of embatch itself. Ask it something, then try a folder of your own:
  npx embatch search "what happens to a run that is killed?"
  npx embatch run ./your-folder --sink lancedb:./my-vectors
`;

await runMain(async () => {
  await setup();
  const args = ['run', 'docs', '--sink', 'lancedb:./vectors', ...process.argv.slice(2)];
  const code = await run(process.execPath, [at('dist/cli/main.js'), ...args], {
    onSpawn: (child) => {
      // The command drains and ends with an exit code of its own, which is waited for.
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      // A terminal's Ctrl-C reaches both processes; passed on, it would count as the second one.
      process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
    },
  });
  if (code === 0) console.log(nextCommands);
  return code;
});
