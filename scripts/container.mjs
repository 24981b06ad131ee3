/**
 * npm run container [-- --tag NAME] [--build-arg NAME=VALUE …]: builds the image from container/Dockerfile.
 * npm run test:container: builds it and checks what it does.
 *
 * With Docker where its engine answers; else, on Linux and as root, with buildah and podman, which are installed where
 * they are missing, on a stand-in for the base image where no registry of images can be reached (docs/running-in-containers.md).
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { capture, runMain, ScriptError } from './lib/process.mjs';
import { at } from './lib/project.mjs';
import { withTemporaryFolder } from './lib/temporary.mjs';
import { createContainers } from './container/containers.mjs';
import { checks, serverChecks } from './container/smoke.mjs';
import { baseOf, findTools } from './container/tools.mjs';
import { startServices } from './services/index.mjs';

const { values } = parseArgs({
  options: {
    tag: { type: 'string', default: 'localhost/embatch:latest' },
    'build-arg': { type: 'string', multiple: true, default: [] },
    check: { type: 'boolean', default: false },
  },
});

async function buildArguments() {
  const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  const { code, stdout } = await capture('git', ['rev-parse', 'HEAD']);
  const revision = code === 0 ? [`REVISION=${stdout.trim()}`] : [];
  return [`VERSION=${version}`, ...revision, ...values['build-arg']];
}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

async function check(tools) {
  const containers = createContainers(tools, values.tag);
  const servers = await startServices(['s3', 'opensearch'], { signal: new AbortController().signal });
  try {
    await withTemporaryFolder(async (folder) => {
      const withServers = servers.missing.length === 0 ? serverChecks : {};
      for (const [place, [name, holds]] of Object.entries({ ...checks, ...withServers }).entries()) {
        const begun = performance.now();
        try {
          await holds(containers, path.join(folder, String(place)), servers.environment);
        } catch (error) {
          throw new ScriptError(`container: ${name}: ${error.message}`);
        }
        console.log(`container: ${name} (${seconds(begun)})`);
      }
    });
    if (servers.missing.length > 0) announce(`NOT CHECKED WITH SERVERS: ${servers.missing.join('; ')}`);
  } finally {
    await containers.close();
    await servers.stop();
  }
}

/** Loud, because what was left out reads like what went well. */
function announce(message) {
  const line = '='.repeat(100);
  console.error(`${line}\nTHE CONTAINER IMAGE WAS ${message}\n${line}`);
}

await runMain(async () => {
  const tools = await findTools().catch((error) => {
    if (!values.check || !(error instanceof ScriptError)) throw error;
    announce(`NOT BUILT AND NOT CHECKED: ${error.message}`);
  });
  if (tools === undefined) return 0;
  const begun = performance.now();
  const named = await buildArguments();
  console.log(`container: building ${values.tag} on ${baseOf(named)} with ${tools.name}`);
  const code = await tools.build(
    values.tag,
    named.flatMap((argument) => ['--build-arg', argument]),
  );
  if (code !== 0) throw new ScriptError(`the image could not be built (${String(code)}); see above`);
  const size = await createContainers(tools, values.tag).inspectImage('{{.Size}}');
  console.log(`container: built in ${seconds(begun)}, ${(Number(size) / 1e6).toFixed(0)} MB`);
  if (values.check) await check(tools);
});
