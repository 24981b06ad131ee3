/** Finds a Java that is new enough. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ScriptError } from '../lib/process.mjs';

/**
 * @param {number} minimum major version
 * @returns {string} the `java` command of the newest Java found
 */
export function findJava(minimum) {
  const found = candidates()
    .map((home) => ({ command: path.join(home, 'bin', executable('java')), major: majorOf(home) }))
    .filter(({ command }) => existsSync(command))
    .sort((a, b) => b.major - a.major);
  if (found[0] !== undefined && found[0].major >= minimum) return found[0].command;
  const rest = found.length > 0 ? `only ${[...new Set(found.map(({ major }) => major))].join(', ')}` : 'none';
  throw new ScriptError(
    `OpenSearch needs Java ${String(minimum)} or newer, and there is ${rest}; set JAVA_HOME`,
  );
}

const executable = (name) => (process.platform === 'win32' ? `${name}.exe` : name);

/** What a machine usually has, named ones first. */
function candidates() {
  const named = [process.env.OPENSEARCH_JAVA_HOME, process.env.JAVA_HOME];
  const onPath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, executable('java')))
    .filter((file) => existsSync(file))
    .map((file) => path.dirname(path.dirname(realpathSync(file))));
  const collections = [
    '/usr/lib/jvm',
    '/Library/Java/JavaVirtualMachines',
    path.join(os.homedir(), '.sdkman/candidates/java'),
    path.join(os.homedir(), '.jdks'),
  ];
  const collected = collections
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)))
    .flatMap((home) => [home, path.join(home, 'Contents/Home')]);
  return [...named, ...onPath, ...collected].filter((home) => home !== undefined && home !== '');
}

/** From the `release` file that every Java since 9 carries; 0 where there is none. */
function majorOf(home) {
  const file = path.join(home, 'release');
  if (!existsSync(file)) return 0;
  return Number(/^JAVA_VERSION="(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
}
