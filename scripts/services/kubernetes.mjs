/** A control plane of Kubernetes for tests: real etcd, API server and Job controller, no nodes. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { ScriptError } from '../lib/process.mjs';
import { buildControlPlane } from './kubernetes-home.mjs';
import { startServer } from './server.mjs';

/** @param {string} kubeconfig */
export async function describe(kubeconfig) {
  const { server, folder } = locate(kubeconfig);
  const { body } = await get(`${server}/version`, certificate(folder));
  return `Kubernetes ${JSON.parse(body).gitVersion}`;
}

export async function fromDocker() {
  throw new ScriptError('there is no image of a control plane without nodes');
}

/** @param {{ name: string, signal: AbortSignal }} options */
export async function fromPackages({ name, signal }) {
  const program = await buildControlPlane();
  const folder = mkdtempSync(path.join(os.tmpdir(), `embatch-test-${name}-`));
  const kubeconfig = path.join(folder, 'kubeconfig');
  const started = await startServer({
    name,
    command: program,
    args: (port) => [path.join(folder, 'etcd'), kubeconfig, ...apiServerFlags(folder, port)],
    isReady: async (url) => {
      const { port } = new URL(url);
      const answer = await get(`https://127.0.0.1:${port}/readyz`, certificate(folder));
      return answer.status === 200;
    },
    patienceMs: 120_000,
    signal,
    cleanUp: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  });
  return { ...started, url: kubeconfig };
}

/** The files that it reads, and the flags that name them. */
function apiServerFlags(folder, port) {
  const file = (name) => path.join(folder, name);
  const token = randomUUID();
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  mkdirSync(file('certificates'), { recursive: true });
  writeFileSync(file('service-accounts.pub'), keys.publicKey);
  writeFileSync(file('service-accounts.key'), keys.privateKey, { mode: 0o600 });
  writeFileSync(file('tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  writeFileSync(file('kubeconfig'), kubeconfigOf(port, token), { mode: 0o600 });
  return [
    `--secure-port=${String(port)}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--cert-dir=${file('certificates')}`,
    `--service-account-key-file=${file('service-accounts.pub')}`,
    `--service-account-signing-key-file=${file('service-accounts.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.0.0.0/24',
    `--token-auth-file=${file('tokens.csv')}`,
    '--authorization-mode=RBAC',
  ];
}

const kubeconfigOf = (port, token) => `apiVersion: v1
kind: Config
current-context: test
contexts: [{ name: test, context: { cluster: test, user: admin, namespace: default } }]
clusters:
  - name: test
    cluster: { server: 'https://127.0.0.1:${String(port)}', certificate-authority: certificates/apiserver.crt }
users: [{ name: admin, user: { token: ${token} } }]
`;

/** It makes its own certificate as it starts. */
function certificate(folder) {
  const file = path.join(folder, 'certificates/apiserver.crt');
  if (!existsSync(file)) throw new ScriptError(`${file} is not there yet`);
  return readFileSync(file, 'utf8');
}

function locate(kubeconfig) {
  const server = /server: '([^']+)'/.exec(readFileSync(kubeconfig, 'utf8'))?.[1];
  return { server, folder: path.dirname(kubeconfig) };
}

/** @returns {Promise<{ status: number, body: string }>} */
function get(url, ca) {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ca, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode, body }));
    });
    request.once('error', reject);
  });
}
