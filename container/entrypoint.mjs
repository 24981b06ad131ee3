/**
 * Process 1 of the image. Becomes embatch within the same process, so that signals reach it, after it has answered the
 * words with which SageMaker starts an image for other things than processing jobs.
 */
import { tmpdir } from 'node:os';

const USAGE = 2;

const refusals = {
  // Source: SageMaker developer guide, "Use your own inference code with hosting services".
  serve: 'serve is not there yet: this image cannot answer requests. Use it for processing jobs, with `run`.',
  // Source: SageMaker developer guide, "How Amazon SageMaker runs your training image".
  train:
    'train is nothing that embatch does. Use this image for processing jobs, with `run`, not for training jobs.',
};

const refusal = Object.hasOwn(refusals, process.argv[2] ?? '') ? refusals[process.argv[2]] : undefined;
if (refusal !== undefined) {
  process.stderr.write(`embatch: ${refusal}\n`);
  process.exitCode = USAGE;
} else {
  // A user without a line in /etc/passwd has no home, which some libraries do not expect.
  process.env.HOME ||= tmpdir();
  await import('../dist/cli/main.js');
}
