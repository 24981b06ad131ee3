/** What the tests see of the surroundings: nothing of the user's own configuration. */
import os from 'node:os';

// Ours, the stores', and what rank detection reads: inside a CI job it would make every run a shard of one.
const leaking =
  /^(EMBATCH_(?!TEST_)|AWS_|AMAZON_|OPENSEARCH_|HF_|MILVUS_|SLURM_|BUILDKITE_|CIRCLE_|CI_NODE_|SM_|TRAINING_JOB_|JOB_COMPLETION_|RANK$|WORLD_SIZE$|LOCAL_RANK$|NO_COLOR$|FORCE_COLOR$|COLUMNS$|NODE_TEST_CONTEXT$)/;

/**
 * @param {NodeJS.ProcessEnv} surroundings
 * @param {Record<string, string>} services where the servers are
 * @returns {NodeJS.ProcessEnv}
 */
export function testEnvironment(surroundings, services) {
  const kept = Object.entries(surroundings).filter(([name]) => !leaking.test(name));
  return {
    ...Object.fromEntries(kept),
    // The SDK's chain ends here and not in ~/.aws or at a cloud machine's metadata address.
    AWS_CONFIG_FILE: os.devNull,
    AWS_SHARED_CREDENTIALS_FILE: os.devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...services,
  };
}
