/**
 * What AWS Batch accepts, where the requests of ours touch it. Fields that are not named here are refused, as by the
 * service. Sources: API version 2016-08-10, "SubmitJob", "RegisterJobDefinition", "EvaluateOnExit", "JobTimeout" of the
 * API reference; "Service quotas" of the user guide.
 */
import { z } from 'zod';

const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}$/);
const tags = z
  .record(
    z
      .string()
      .min(1)
      .max(128)
      .regex(/^(?!aws:)/i),
    z
      .string()
      .max(256)
      .regex(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u),
  )
  .refine((given) => Object.keys(given).length >= 1 && Object.keys(given).length <= 50);

const words = z
  .string()
  .max(512)
  .regex(/^[0-9A-Za-z.:\s]*\*?$/);
const retryStrategy = z.strictObject({
  attempts: z.int().min(1).max(10),
  evaluateOnExit: z
    .array(
      z.strictObject({
        onExitCode: z
          .string()
          .max(512)
          .regex(/^[0-9]*\*?$/)
          .optional(),
        onReason: words.optional(),
        onStatusReason: words.optional(),
        action: z.enum(['RETRY', 'EXIT']),
      }),
    )
    .max(5),
});

/** Of EC2, and the small ones of Fargate. */
const resourceRequirements = z.array(
  z.union([
    z.strictObject({ type: z.literal('VCPU'), value: z.string().regex(/^(0\.25|0\.5|[1-9]\d*)$/) }),
    z.strictObject({ type: z.literal('MEMORY'), value: z.string().regex(/^[1-9]\d*$/) }),
  ]),
);

export const submitJobLimits = z
  .strictObject({
    jobName: name,
    jobQueue: z.string().min(1),
    jobDefinition: z.string().min(1),
    arrayProperties: z.strictObject({ size: z.int().min(2).max(10_000) }).optional(),
    containerOverrides: z.strictObject({
      command: z.array(z.string()),
      environment: z.array(
        z.strictObject({
          name: z.string().regex(/^(?!AWS_BATCH)[A-Za-z_][A-Za-z0-9_]*$/),
          value: z.string(),
        }),
      ),
      resourceRequirements: resourceRequirements.optional(),
    }),
    retryStrategy,
    timeout: z.strictObject({ attemptDurationSeconds: z.int().min(60) }).optional(),
    tags,
    propagateTags: z.boolean(),
  })
  .refine((request) => Buffer.byteLength(JSON.stringify(request)) <= 30 * 1024, 'at most 30 KiB');

export const registerJobDefinitionLimits = z
  .strictObject({
    jobDefinitionName: name,
    type: z.enum(['container', 'multinode']),
    containerProperties: z.strictObject({
      image: z.string().min(1),
      jobRoleArn: z.string().optional(),
      resourceRequirements,
    }),
  })
  .refine((request) => Buffer.byteLength(JSON.stringify(request)) <= 24 * 1024, 'at most 24 KiB');
