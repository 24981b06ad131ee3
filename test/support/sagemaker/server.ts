import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProcessingJob, type JobRequest } from './job.js';
import { operations, violations } from './model.js';

/** What the service answers instead of doing its work, once. */
export type SageMakerFault =
  | { readonly kind: 'refuse'; readonly status: number; readonly type: string; readonly message: string }
  /** Does the work and cuts the connection instead of answering. */
  | { readonly kind: 'lose-answer' };

export interface SageMakerSettings {
  /** Folder for what the containers see; where it is undefined, nothing is started, and tests end jobs by hand. */
  readonly folder?: string;
  /** What the role gives the containers: credentials, and where the services are. */
  readonly roleEnvironment?: Readonly<Record<string, string>>;
  /** Instances of one type that the account may have. */
  readonly quota?: number;
}

class Refusal extends Error {
  readonly type: string;
  readonly status: number;

  constructor(type: string, message: string, status = 400) {
    super(message);
    this.type = type;
    this.status = status;
  }
}

/**
 * SageMaker as far as processing jobs go: checks each request against the service's own model, refuses names that are
 * in use, keeps states, and starts one process of the image's entry point for each instance.
 */
export class SageMakerServer {
  readonly jobs = new Map<string, ProcessingJob>();
  /** Every request that came in: the operation and its input. */
  readonly seen: { readonly operation: string; readonly input: Readonly<Record<string, unknown>> }[] = [];
  readonly #faults: SageMakerFault[] = [];
  readonly #settings: SageMakerSettings;
  readonly #server: Server;

  constructor(settings: SageMakerSettings = {}) {
    this.#settings = settings;
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(settings?: SageMakerSettings): Promise<SageMakerServer> {
    const server = new SageMakerServer(settings);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  /** The environment in which a client finds this server. */
  get environment(): Readonly<Record<string, string>> {
    const { port } = this.#server.address() as AddressInfo;
    return {
      AWS_ENDPOINT_URL_SAGEMAKER: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'caller',
      AWS_SECRET_ACCESS_KEY: 'caller-secret',
      AWS_REGION: 'eu-central-1',
    };
  }

  next(...faults: readonly SageMakerFault[]): void {
    this.#faults.push(...faults);
  }

  job(name: string): ProcessingJob {
    const job = this.jobs.get(name);
    if (job === undefined) throw new Error(`there is no processing job ${name}`);
    return job;
  }

  async close(): Promise<void> {
    await Promise.all([...this.jobs.values()].map((job) => job.kill()));
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const fault = this.#faults.shift();
    try {
      if (fault?.kind === 'refuse') throw new Refusal(fault.type, fault.message, fault.status);
      const answer = this.#answer(request, Buffer.concat(chunks).toString());
      if (fault?.kind === 'lose-answer') request.socket.destroy();
      else send(response, 200, answer);
    } catch (error) {
      const { type, status, message } =
        error instanceof Refusal ? error : new Refusal('InternalFailure', String(error), 500);
      send(response, status, { __type: type, message });
    }
  }

  #answer(request: IncomingMessage, body: string): object {
    const operation = /^SageMaker\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1] ?? '';
    const isCall = request.method === 'POST' && request.url === '/' && operations.includes(operation);
    if (!isCall)
      throw new Refusal('UnknownOperationException', `${String(request.method)} ${operation}`, 404);
    if (request.headers['content-type'] !== 'application/x-amz-json-1.1') {
      throw new Refusal('SerializationException', 'this is no application/x-amz-json-1.1');
    }
    if (
      !/Credential=caller\/\d+\/eu-central-1\/sagemaker\/aws4_request/.test(
        request.headers.authorization ?? '',
      )
    ) {
      throw new Refusal(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const input = JSON.parse(body) as Record<string, unknown>;
    this.seen.push({ operation, input });
    const wrong = violations(operation, input);
    if (wrong.length > 0) {
      throw new Refusal(
        'ValidationException',
        `${wrong.length} validation errors detected: ${wrong.join('; ')}`,
      );
    }
    if (operation === 'CreateProcessingJob') return this.#create(input);
    const name = String(input['ProcessingJobName']);
    const job = this.jobs.get(name);
    // What the real service says, other than its model promises.
    if (job === undefined)
      throw new Refusal('ValidationException', `Could not find requested job with name: ${name}`);
    if (operation === 'DescribeProcessingJob') return job.describe();
    if (job.status !== 'InProgress') {
      throw new Refusal(
        'ValidationException',
        `The request was rejected: the processing job is ${job.status}.`,
      );
    }
    job.stop();
    return {};
  }

  #create(input: Readonly<Record<string, unknown>>): object {
    // Checked against the model before.
    const request = input as unknown as JobRequest;
    for (const { AppManaged, S3Input, InputName } of request.ProcessingInputs ?? []) {
      if (S3Input === undefined) throw new Refusal('ValidationException', `${InputName} has no source`);
      const isBelow = S3Input.LocalPath?.startsWith('/opt/ml/processing/') === true;
      if (AppManaged !== true && !isBelow) {
        throw new Refusal(
          'ValidationException',
          `LocalPath of ${InputName} must be below /opt/ml/processing/`,
        );
      }
    }
    const name = request.ProcessingJobName;
    if (this.jobs.has(name)) {
      throw new Refusal('ResourceInUse', `Job name must be unique within an AWS account and region: ${name}`);
    }
    const { InstanceCount, InstanceType } = request.ProcessingResources.ClusterConfig;
    const { quota = 100, folder, roleEnvironment = {} } = this.#settings;
    if (InstanceCount > quota) {
      throw new Refusal(
        'ResourceLimitExceeded',
        `The account-level service limit '${InstanceType} for processing job usage' is ${quota} Instances, with current ` +
          `utilization of 0 Instances and a request delta of ${InstanceCount} Instances. Please use AWS Service Quotas to ` +
          'request an increase for this quota.',
      );
    }
    const job = new ProcessingJob(request);
    this.jobs.set(name, job);
    if (folder !== undefined) job.start(folder, roleEnvironment);
    return { ProcessingJobArn: job.arn };
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'fake' });
  response.end(JSON.stringify(body));
}
