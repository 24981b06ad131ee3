import { createHash } from 'node:crypto';
import type { BatchClient, JobDefinition, RegisterJobDefinitionRequest } from '@aws-sdk/client-batch';
import type { Abortable } from '../../core/interfaces.js';
import { awsFailure } from '../aws-failure.js';
import type { DefinitionChoice } from './config.js';
import { toSend } from '../aws-options.js';

type OwnDefinition = Extract<DefinitionChoice, { readonly kind: 'own' }>;

const HASH_DIGITS = 12;

/** The name follows from the content, so that the same fleet meets the definition that it made last time. */
export function ownDefinition({
  image,
  role,
  vcpus,
  memoryMiB,
}: OwnDefinition): RegisterJobDefinitionRequest {
  const content = {
    type: 'container' as const,
    containerProperties: {
      image,
      ...(role === undefined ? {} : { jobRoleArn: role }),
      resourceRequirements: [
        { type: 'VCPU' as const, value: String(vcpus) },
        { type: 'MEMORY' as const, value: String(memoryMiB) },
      ],
    },
  };
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, HASH_DIGITS);
  return { jobDefinitionName: `embatch-${hash}`, ...content };
}

/** Registers the definition where it is not there, or where its latest revision was changed by hand. Errors: USAGE, ENGINE. */
export async function ensureDefinition(
  client: BatchClient,
  own: OwnDefinition,
  place: string,
  options: Abortable,
): Promise<void> {
  const { DescribeJobDefinitionsCommand, RegisterJobDefinitionCommand } =
    await import('@aws-sdk/client-batch');
  const request = ownDefinition(own);
  const { jobDefinitionName = '' } = request;
  try {
    const { jobDefinitions = [] } = await client.send(
      new DescribeJobDefinitionsCommand({ jobDefinitionName, status: 'ACTIVE' }),
      toSend(options),
    );
    const latest = [...jobDefinitions].sort((a, b) => (a.revision ?? 0) - (b.revision ?? 0)).at(-1);
    if (latest !== undefined && isAs(latest, own)) return;
    await client.send(new RegisterJobDefinitionCommand(request), toSend(options));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw awsFailure(error, `${place} did not take the job definition ${jobDefinitionName}`);
  }
}

function isAs(
  { containerProperties }: JobDefinition,
  { image, role, vcpus, memoryMiB }: OwnDefinition,
): boolean {
  const required = (type: string): string | undefined =>
    containerProperties?.resourceRequirements?.find((requirement) => requirement.type === type)?.value;
  return (
    containerProperties?.image === image &&
    (containerProperties.jobRoleArn ?? '') === (role ?? '') &&
    Number(required('VCPU')) === vcpus &&
    Number(required('MEMORY')) === memoryMiB
  );
}
