import {
  BatchClient,
  CreateComputeEnvironmentCommand,
  CreateJobQueueCommand,
  RegisterJobDefinitionCommand,
} from '@aws-sdk/client-batch';
import { randomBytes } from 'node:crypto';
import { s3Url } from '../../support/services.js';

/** moto serves every service of AWS at one address; credentials are not checked. */
const environment = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'eu-central-1',
};

export interface BatchServer {
  readonly client: BatchClient;
  readonly environment: Readonly<Record<string, string>>;
  readonly queue: string;
  /** A job definition as a user makes one. */
  readonly definition: string;
  /**
   * `succeed`: every job ends well at once. `linger`: children fail for the lack of a container runtime, and their parent
   * goes on for ever.
   */
  jobs(behaviour: 'succeed' | 'linger'): Promise<void>;
}

/** A queue of this test's own on the real server. */
export async function openBatchServer(): Promise<BatchServer> {
  const url = s3Url();
  const client = new BatchClient({
    endpoint: url,
    region: environment.AWS_REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const name = `test-${randomBytes(5).toString('hex')}`;
  const role = await createRole(url, name);
  const created = await client.send(
    new CreateComputeEnvironmentCommand({
      computeEnvironmentName: name,
      type: 'UNMANAGED',
      state: 'ENABLED',
      serviceRole: role,
    }),
  );
  await client.send(
    new CreateJobQueueCommand({
      jobQueueName: name,
      state: 'ENABLED',
      priority: 1,
      computeEnvironmentOrder: [{ order: 1, computeEnvironment: created.computeEnvironmentArn }],
    }),
  );
  await client.send(
    new RegisterJobDefinitionCommand({
      jobDefinitionName: `${name}-by-hand`,
      type: 'container',
      containerProperties: { image: 'embatch', vcpus: 1, memory: 512 },
    }),
  );
  return {
    client,
    environment: { ...environment, AWS_ENDPOINT_URL_BATCH: url },
    queue: name,
    definition: `${name}-by-hand`,
    async jobs(behaviour) {
      const config = { batch: { use_docker: behaviour === 'linger' } };
      await post(`${url}/moto-api/config`, JSON.stringify(config), {});
    },
  };
}

/** There is no need for a client of IAM for this one call. */
async function createRole(url: string, name: string): Promise<string> {
  const form = new URLSearchParams({
    Action: 'CreateRole',
    Version: '2010-05-08',
    RoleName: name,
    AssumeRolePolicyDocument: '{}',
  });
  const text = await post(`${url}/`, form.toString(), {
    'content-type': 'application/x-www-form-urlencoded',
    authorization:
      'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0',
  });
  const arn = /<Arn>(.*?)<\/Arn>/.exec(text)?.[1];
  if (arn === undefined) throw new Error(`no role: ${text}`);
  return arn;
}

async function post(url: string, body: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(url, { method: 'POST', body, headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} to POST ${url}: ${text}`);
  return text;
}
