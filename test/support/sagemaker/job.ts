import { join } from 'node:path';
import { layOut, startHost, type HostProcess } from './opt-ml.js';

export interface JobRequest {
  readonly ProcessingJobName: string;
  readonly RoleArn: string;
  readonly AppSpecification: { readonly ImageUri: string; readonly ContainerArguments?: readonly string[] };
  readonly Environment?: Readonly<Record<string, string>>;
  readonly ProcessingInputs?: readonly {
    readonly InputName: string;
    readonly AppManaged?: boolean;
    readonly S3Input?: { readonly LocalPath?: string; readonly S3Uri: string };
  }[];
  readonly ProcessingResources: {
    readonly ClusterConfig: { readonly InstanceCount: number; readonly InstanceType: string };
  };
  readonly StoppingCondition?: { readonly MaxRuntimeInSeconds: number };
}

type Status = 'InProgress' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped';

/** Each container's message, and then all of them. */
const MAX_MESSAGE = 1024;
/** The most that an account may ask for by default. */
const DEFAULT_MAX_RUNTIME_S = 86_400;

/** One job and its containers, which are processes here. */
export class ProcessingJob {
  readonly request: JobRequest;
  readonly arn: string;
  status: Status = 'InProgress';
  exitMessage: string | undefined;
  failureReason: string | undefined;
  started: Date | undefined;
  ended: Date | undefined;
  hosts: readonly { readonly name: string; readonly process: HostProcess }[] = [];
  /** When all containers have ended. */
  done: Promise<void> = Promise.resolve();
  readonly #created = new Date();
  #isOverTime = false;

  constructor(request: JobRequest) {
    this.request = request;
    this.arn = `arn:aws:sagemaker:eu-central-1:123456789012:processing-job/${request.ProcessingJobName}`;
  }

  describe(): object {
    const { Tags, ...request } = this.request as JobRequest & { readonly Tags?: unknown };
    const seconds = (date: Date | undefined): number | undefined => date && date.getTime() / 1000;
    return {
      ...request,
      StoppingCondition: this.request.StoppingCondition ?? { MaxRuntimeInSeconds: DEFAULT_MAX_RUNTIME_S },
      ProcessingJobArn: this.arn,
      ProcessingJobStatus: this.status,
      CreationTime: seconds(this.#created),
      LastModifiedTime: seconds(new Date()),
      ProcessingStartTime: seconds(this.started),
      ProcessingEndTime: seconds(this.ended),
      ExitMessage: this.exitMessage,
      FailureReason: this.failureReason,
    };
  }

  /** Starts a process for each instance, each with an /opt/ml of its own. */
  start(folder: string, roleEnvironment: Readonly<Record<string, string>>): void {
    const { InstanceCount } = this.request.ProcessingResources.ClusterConfig;
    const numbered = Array.from({ length: InstanceCount }, (_, i) => `algo-${i + 1}`);
    const names = numbered.sort();
    this.started = new Date();
    this.hosts = names.map((name) => {
      const host = {
        name,
        hosts: names,
        folder: join(folder, this.request.ProcessingJobName, name),
        job: this.#config(),
      };
      layOut(host);
      const words = this.request.AppSpecification.ContainerArguments ?? ['run'];
      const environment = { ...roleEnvironment, ...this.request.Environment };
      return { name, process: startHost(host, words, environment) };
    });
    this.done = this.#end();
  }

  /** What StopProcessingJob does. */
  stop(): void {
    this.status = 'Stopping';
    for (const { process } of this.hosts) process.child.kill('SIGINT');
    if (this.hosts.length === 0) this.finish('Stopped');
  }

  /** What the service does when MaxRuntimeInSeconds are over. */
  expire(): void {
    this.#isOverTime = true;
    this.stop();
  }

  /** The end, by hand where no processes were started. */
  finish(
    status: Status,
    more: { readonly failureReason?: string; readonly exitMessage?: string } = {},
  ): void {
    this.status = status;
    this.started ??= new Date();
    const most = this.request.StoppingCondition?.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME_S;
    this.ended = this.#isOverTime ? new Date(this.started.getTime() + most * 1000) : new Date();
    this.failureReason = more.failureReason ?? this.failureReason;
    this.exitMessage = more.exitMessage ?? this.exitMessage;
  }

  async kill(): Promise<void> {
    for (const { process } of this.hosts) process.child.kill('SIGKILL');
    await this.done;
  }

  async #end(): Promise<void> {
    const endings = await Promise.all(this.hosts.map(({ process }) => process.ended));
    const messages = this.hosts.map(({ process }) => process.message() ?? Buffer.alloc(0));
    const texts = messages.map((bytes) => bytes.subarray(0, MAX_MESSAGE));
    this.exitMessage = Buffer.concat(texts).subarray(0, MAX_MESSAGE).toString();
    const failed = endings.find(({ code }) => code !== 0);
    if (messages.some((bytes) => !isUtf8(bytes))) {
      this.failureReason = 'ClientError: the exit message is not UTF-8';
      this.finish('Failed');
    } else if (this.status === 'Stopping') {
      this.finish('Stopped');
    } else if (failed === undefined) {
      this.finish('Completed');
    } else {
      this.failureReason = `AlgorithmError: See job logs for more information, exit code: ${failed.code}`;
      this.finish('Failed');
    }
  }

  /** processingjobconfig.json. Source: SageMaker developer guide, "How your processing container is configured". */
  #config(): Readonly<Record<string, unknown>> {
    const { request } = this;
    return {
      ProcessingJobArn: this.arn,
      ProcessingJobName: request.ProcessingJobName,
      AppSpecification: { ...request.AppSpecification, ContainerEntrypoint: null },
      Environment: request.Environment ?? null,
      ProcessingInputs: request.ProcessingInputs ?? null,
      ProcessingOutputConfig: null,
      ProcessingResources: request.ProcessingResources,
      RoleArn: request.RoleArn,
      StoppingCondition: request.StoppingCondition ?? { MaxRuntimeInSeconds: DEFAULT_MAX_RUNTIME_S },
    };
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
