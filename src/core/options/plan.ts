import { amount, text, type OptionSpec } from '../option-kinds.js';
import { plan } from './commands.js';

/** What is planned with. */
export const planOptions = {
  price: amount({
    group: 'Plan',
    commands: plan,
    value: '<money>',
    describe: 'What one shard costs per hour, in any currency: the plan then says what the job costs.',
  }),
  writeManifest: text({
    group: 'Plan',
    commands: plan,
    value: '<uri>',
    describe:
      'Write the listing to this folder or s3://bucket/prefix, for the shards to read it there (--source-manifest) instead of each listing the source.',
  }),
} satisfies Record<string, OptionSpec>;
