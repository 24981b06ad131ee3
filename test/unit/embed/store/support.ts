import { createHash } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openModel, pullModel, type OpenModelOptions } from '#embatch/embed/store/open-model.js';
import { filesOf, startHub, type HubServer } from '../../../support/hub-server.js';
import { testData } from '../../../support/paths.js';
import { recordingLogger, type RecordingLogger } from '../../../support/recording-logger.js';
import { tempFolder } from '../../../support/temp-folder.js';

export const ID = 'acme/tiny-bert';

/** A commit made up from a word. */
export function commitOf(word: string): string {
  return createHash('sha1').update(word).digest('hex');
}

export const MAIN = commitOf('main');

export interface TestStore {
  readonly hub: HubServer;
  /** HF_HOME; the cache is `hub/` in it. */
  readonly home: string;
  /** The model's own folder in the cache. */
  readonly folder: string;
  readonly log: RecordingLogger;
  readonly open: (ref: string, options?: Partial<OpenModelOptions>) => ReturnType<typeof openModel>;
  readonly pull: (ref: string, options?: Partial<OpenModelOptions>) => ReturnType<typeof pullModel>;
}

/** A hub that has the model {@link ID}, and an empty cache; the variables of this process point at both. */
export async function createTestStore(t: TestContext): Promise<TestStore> {
  const hub = await startHub(t);
  const home = await tempFolder(t);
  setEnvironment(t, {
    HF_ENDPOINT: hub.url,
    HF_HOME: home,
    XDG_CACHE_HOME: join(home, 'xdg'),
    HF_HUB_DOWNLOAD_TIMEOUT: '5',
    ...Object.fromEntries(others.map((name) => [name, undefined])),
  });
  hub.models[ID] = { refs: { main: MAIN }, commits: { [MAIN]: await tinyBert() } };
  const log = recordingLogger();
  const defaults: OpenModelOptions = {
    precision: 'auto',
    log,
    patience: { attempts: 4, firstDelayMs: 1, maxDelayMs: 4 },
  };
  return {
    hub,
    home,
    folder: join(home, 'hub', 'models--acme--tiny-bert'),
    log,
    open: (ref, options) => openModel(ref, { ...defaults, ...options }),
    pull: (ref, options) => pullModel(ref, { ...defaults, ...options }),
  };
}

const others = [
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HUB_DISABLE_IMPLICIT_TOKEN',
  'HF_HUB_OFFLINE',
  'TRANSFORMERS_OFFLINE',
];

/** undefined takes a variable away. All are as before after the test. */
export function setEnvironment(
  t: TestContext,
  variables: Readonly<Record<string, string | undefined>>,
): void {
  for (const [name, value] of Object.entries(variables)) {
    const former = process.env[name];
    assign(name, value);
    t.after(() => {
      assign(name, former);
    });
  }
}

function assign(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name);
  else process.env[name] = value;
}

/** A whole model as it lies on the hub, with what a run does not need. */
export async function tinyBert(): Promise<Record<string, Buffer | string>> {
  return {
    ...(await filesOf(testData('models/tiny-bert'))),
    'README.md': '# tiny',
    'model.safetensors': Buffer.alloc(5000, 1),
    'pytorch_model.bin': Buffer.alloc(5000, 2),
    'onnx/model_quantized.onnx': Buffer.alloc(3000, 3),
    'openvino/openvino_model.xml': '<net/>',
    'results/scores.json': '{}',
  };
}

/** What a run needs of {@link tinyBert}. */
export const neededFiles = [
  '1_Pooling/config.json',
  '2_Normalize/config.json',
  'README.md',
  'config.json',
  'config_sentence_transformers.json',
  'modules.json',
  'onnx/model.onnx',
  'reference.json',
  'sentence_bert_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
];

/** An address that nobody listens at. */
export async function deadEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${String(port)}`;
}
