/**
 * Lays out an OpenSearch home from Maven artifacts: neither a distribution nor its modules and plug-ins are
 * published there as such, only their jars and the zip of k-NN, which lacks its native libraries (so `engine: lucene`
 * works, and faiss ends the node).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture, ScriptError } from '../lib/process.mjs';
import { versions } from './settings.mjs';

/** A module: the class that starts it, the module whose classes it sees, and its jars by the start of their names. */
const modules = {
  'transport-netty4': {
    class: 'org.opensearch.transport.Netty4ModulePlugin',
    jars: ['transport-netty4-client', 'netty-', 'opensearch-netty4'],
  },
  'lang-painless': {
    class: 'org.opensearch.painless.PainlessModulePlugin',
    jars: ['lang-painless', 'opensearch-scripting-painless-spi', 'antlr4-runtime', 'asm-'],
  },
  'lang-mustache': {
    class: 'org.opensearch.script.mustache.MustacheModulePlugin',
    jars: ['lang-mustache-client', 'compiler'],
  },
  'analysis-common': {
    class: 'org.opensearch.analysis.common.CommonAnalysisModulePlugin',
    extends: 'lang-painless',
    jars: ['analysis-common'],
  },
  'ingest-common': {
    class: 'org.opensearch.ingest.common.IngestCommonModulePlugin',
    extends: 'lang-painless',
    jars: ['ingest-common', 'opensearch-grok', 'opensearch-dissect', 'joni', 'jcodings'],
  },
  reindex: {
    class: 'org.opensearch.index.reindex.ReindexModulePlugin',
    jars: [
      'reindex-client',
      'opensearch-rest-client',
      'opensearch-ssl-config',
      'http',
      'commons-',
      'slf4j-api',
    ],
  },
  'mapper-extras': {
    class: 'org.opensearch.index.mapper.MapperExtrasModulePlugin',
    jars: ['mapper-extras-client'],
  },
  'parent-join': { class: 'org.opensearch.join.ParentJoinModulePlugin', jars: ['parent-join-client'] },
  'aggs-matrix-stats': {
    class: 'org.opensearch.search.aggregations.matrix.MatrixAggregationModulePlugin',
    jars: ['aggs-matrix-stats-client'],
  },
  geo: { class: 'org.opensearch.geo.GeoModulePlugin', jars: ['geo'] },
};

/** k-NN extends the module transport-grpc, which is not published: it gets the few jars that it needs of it. */
const knnJars = ['transport-grpc-spi', 'protobufs', 'grpc-api', 'guava', 'failureaccess'];
const unneeded = [
  /^(listenablefuture|jsr305|j2objc|checker-qual)-/,
  /^netty-codec-native-quic-.*-(osx|windows)-/,
];

const artifacts = () => {
  const { opensearch, log4j, guava } = versions;
  const core = ['opensearch', 'opensearch-plugin-classloader', 'opensearch-agent-bootstrap'];
  const plugins = [
    ...Object.values(modules).map(({ jars }) => jars[0]),
    'opensearch-scripting-painless-spi',
    'transport-grpc-spi',
  ];
  return [
    ...core.map((name) => ['org.opensearch', name, opensearch, 'jar']),
    ...plugins.map((name) => ['org.opensearch.plugin', name, opensearch, 'jar']),
    ['org.opensearch.plugin', 'opensearch-knn', `${opensearch}.0`, 'zip'],
    // The server's own description names log4j's interface only.
    ['org.apache.logging.log4j', 'log4j-core', log4j, 'jar'],
    ['com.google.guava', 'guava', guava, 'jar'],
  ];
};

/** @param {string} folder empty */
export async function buildHome(folder) {
  console.log(
    `services: OpenSearch ${versions.opensearch} is not in the cache, assembling it with Maven (90 MB, once) …`,
  );
  const lib = path.join(folder, 'lib');
  const knn = path.join(folder, 'plugins/opensearch-knn');
  writeFileSync(path.join(folder, 'pom.xml'), projectFile());
  await maven(folder, ['dependency:copy-dependencies', '-DexcludeTypes=zip', `-DoutputDirectory=${lib}`]);
  await maven(folder, ['dependency:unpack-dependencies', '-DincludeTypes=zip', `-DoutputDirectory=${knn}`]);

  const jars = readdirSync(lib);
  const move = (starts, target) => {
    for (const jar of jars.filter((name) => starts.some((start) => startsWithArtifact(name, start)))) {
      // A jar that a module has taken, or that the plug-in brought itself, is left.
      if (existsSync(path.join(lib, jar)) && !existsSync(path.join(target, jar))) {
        renameSync(path.join(lib, jar), path.join(target, jar));
      }
    }
  };
  for (const jar of jars.filter((name) => unneeded.some((pattern) => pattern.test(name))))
    rmSync(path.join(lib, jar));
  for (const [name, module] of Object.entries(modules)) {
    const target = path.join(folder, 'modules', name);
    mkdirSync(target, { recursive: true });
    move(module.jars, target);
    writeFileSync(path.join(target, 'plugin-descriptor.properties'), descriptor(name, module));
  }
  move(knnJars, knn);
  const knnDescriptor = path.join(knn, 'plugin-descriptor.properties');
  const text = readFileSync(knnDescriptor, 'utf8');
  writeFileSync(knnDescriptor, text.replace(/^extended\.plugins=.*$/m, 'extended.plugins=lang-painless'));
}

/** `asm-` and `http` name families of jars; a full name is followed by its version. */
const startsWithArtifact = (jar, start) =>
  start.endsWith('-') || start === 'http' ? jar.startsWith(start) : new RegExp(`^${start}-\\d`).test(jar);

const descriptor = (name, module) =>
  [
    `name=${name}`,
    `description=${name}`,
    `version=${versions.opensearch}`,
    `opensearch.version=${versions.opensearch}`,
    'java.version=11',
    `classname=${module.class}`,
    `extended.plugins=${module.extends ?? ''}`,
    'has.native.controller=false',
    '',
  ].join('\n');

function projectFile() {
  const dependencies = artifacts().map(
    ([group, name, version, type]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version><type>${type}</type></dependency>`,
  );
  return [
    '<project><modelVersion>4.0.0</modelVersion>',
    '<groupId>embatch</groupId><artifactId>opensearch</artifactId><version>1</version><packaging>pom</packaging>',
    `<dependencies>${dependencies.join('\n')}</dependencies></project>`,
  ].join('\n');
}

async function maven(folder, args) {
  const command = process.platform === 'win32' ? 'mvn.cmd' : 'mvn';
  const options = { cwd: folder, shell: process.platform === 'win32' };
  const found = await capture(command, ['--batch-mode', '--quiet', ...args], options).catch((error) => {
    throw new ScriptError(`assembling OpenSearch needs Maven: ${error.message}`);
  });
  if (found.code !== 0) {
    const reason = found.stdout.split('\n').find((line) => line.includes('ERROR')) ?? found.stderr.trim();
    throw new ScriptError(`Maven could not resolve OpenSearch's artifacts: ${reason}`);
  }
}
