/** OpenSearch with k-NN for tests: a given address, else its image, else assembled from Maven artifacts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ScriptError } from '../lib/process.mjs';
import { buildOnce } from './cache.mjs';
import { startContainer } from './docker.mjs';
import { findJava } from './java.mjs';
import { buildHome } from './opensearch-home.mjs';
import { startServer } from './server.mjs';
import { versions } from './settings.mjs';

const heap = '512m';
const minimumJava = 21;

const isReady = async (url) =>
  (await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=5s`)).status === 200;

/** @param {string} url may carry a user and a password */
export async function describe(url) {
  const { origin, username, password } = new URL(url);
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    'base64',
  );
  const headers = username === '' ? {} : { authorization: `Basic ${basic}` };
  const [root, plugins] = await Promise.all(
    ['/', '/_cat/plugins?h=component'].map(async (where) => {
      const response = await fetch(`${origin}${where}`, { headers });
      if (!response.ok) throw new ScriptError(`${origin}${where} answers ${String(response.status)}`);
      return response.text();
    }),
  );
  if (!plugins.includes('opensearch-knn')) throw new ScriptError(`the node at ${origin} has no k-NN plug-in`);
  return `OpenSearch ${JSON.parse(root).version.number} with k-NN`;
}

/** @param {{ name: string, settings: Record<string, string>, signal: AbortSignal }} options */
export function fromDocker({ name, settings, signal }) {
  const environment = {
    'discovery.type': 'single-node',
    DISABLE_INSTALL_DEMO_CONFIG: 'true',
    DISABLE_SECURITY_PLUGIN: 'true',
    DISABLE_PERFORMANCE_ANALYZER_AGENT_CLI: 'true',
    OPENSEARCH_JAVA_OPTS: `-Xms${heap} -Xmx${heap}`,
    ...settings,
  };
  return startContainer({
    name,
    image: `opensearchproject/opensearch:${versions.opensearch}`,
    port: 9200,
    options: Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    isReady,
    signal,
  });
}

/** @param {{ name: string, settings: Record<string, string>, signal: AbortSignal }} options */
export async function fromPackages({ name, settings, signal }) {
  const java = findJava(minimumJava);
  const home = await buildOnce(`opensearch-${versions.opensearch}`, 'pom.xml', buildHome);
  const data = mkdtempSync(path.join(os.tmpdir(), `embatch-test-${name}-`));
  return startServer({
    name,
    command: java,
    args: (port) => [...javaOptions(home, data), ...nodeSettings(data, port, settings)],
    isReady,
    patienceMs: 180_000,
    signal,
    cleanUp: () => rmSync(data, { recursive: true, force: true, maxRetries: 5 }),
  });
}

function javaOptions(home, data) {
  const config = path.join(data, 'config');
  const temporary = path.join(data, 'tmp');
  mkdirSync(config);
  mkdirSync(temporary);
  writeFileSync(path.join(config, 'opensearch.yml'), '');
  writeFileSync(path.join(config, 'log4j2.properties'), logging);
  return [
    `-Xms${heap}`,
    `-Xmx${heap}`,
    // Together, and with the class archive that the first end writes, they cut the start from 20 s to 6 s.
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:+AutoCreateSharedArchive',
    `-XX:SharedArchiveFile=${path.join(home, 'classes.jsa')}`,
    '--enable-native-access=ALL-UNNAMED',
    `-Djava.io.tmpdir=${temporary}`,
    '-Dlog4j2.disable.jmx=true',
    // OpenSearch refuses to run as root, and asks JNA who it is: without JNA's native part it cannot tell.
    ...(process.getuid?.() === 0 ? ['-Djna.nosys=true', '-Djna.nounpack=true'] : []),
    `-Dopensearch.path.home=${home}`,
    `-Dopensearch.path.conf=${config}`,
    '-cp',
    path.join(home, 'lib', '*'),
    'org.opensearch.bootstrap.OpenSearch',
  ];
}

function nodeSettings(data, port, settings) {
  const all = {
    'path.data': path.join(data, 'data'),
    'path.logs': path.join(data, 'logs'),
    'network.host': '127.0.0.1',
    'http.port': String(port),
    'transport.port': '0',
    'discovery.type': 'single-node',
    'cluster.name': 'embatch-test',
    ...settings,
  };
  return Object.entries(all).map(([key, value]) => `-E${key}=${value}`);
}

const logging = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
`;
