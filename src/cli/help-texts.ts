/** What `--help` shows below the options. */

export const topExamples = `
Examples:
  embatch run ./docs                                       a folder into ./vectors (LanceDB)
  embatch search "how do I rotate the keys?"               ask it
  embatch run s3://bucket/docs --sink opensearch://host:9200/docs
  embatch plan s3://bucket/docs --shards 10 --price 0.70   hours and money, before they are spent
  embatch submit local s3://bucket/docs --shards 4 --wait  on N processes; other engines: submit --help
  embatch status --state s3://bucket/state                 how the shards of a job stand

Every option may also be set as EMBATCH_… or in a job file (--config). Exit codes: 0 done, 2 usage, 20 done with
dead letters, 21 source, 22 model, 23 sink, 24 state or lease, 25 verify found differences, 26/27 status:
still running, or a shard is lost, 130/143 stopped.`;

export const runExamples = `
Examples:
  embatch run ./docs --include '*.md'
  embatch run s3://bucket/docs --sink opensearch://search.example.com:9200/docs --shard 0 --shards 4
  embatch run s3://bucket/records --text-field body --id-field id --chunker none
  embatch run --config job.yaml --dry-run`;

export const retryExamples = `
Examples:
  embatch retry ./docs                                     what failed in \`embatch run ./docs\`
  embatch retry s3://bucket/docs --max-document-bytes 64MiB --sink opensearch://host:9200/docs`;

export const verifyExamples = `
Examples:
  embatch verify ./docs                                    after \`embatch run ./docs\`, with the same flags
  embatch verify s3://bucket/docs --sink opensearch://search.example.com:9200/docs --sample 100
  embatch verify ./docs --repair`;

export const planExamples = `
Examples:
  embatch plan ./docs                                      before \`embatch run ./docs\`, with the same flags
  embatch plan s3://bucket/docs --sink opensearch://search.example.com:9200/docs --shards 16 --price 0.71
  embatch plan s3://bucket/docs --write-manifest s3://bucket/listings/docs`;

export const modelsExamples = `
Examples:
  embatch models pull hf:BAAI/bge-small-en-v1.5
  embatch models inspect ./my-model --dimensions 256
  embatch models check ./my-model --reference vectors.jsonl`;

export const searchExamples = `
Examples:
  embatch search "what happens when a run is killed?"
  embatch search "refund policy" --sink opensearch://search.example.com:9200/docs --k 10 --json`;

export const submitExamples = `
Examples:
  embatch submit local s3://bucket/docs --sink opensearch://host:9200/docs --shards 4 --wait
  embatch submit sagemaker s3://bucket/docs --sink opensearch://host:9200/docs --state s3://bucket/state \\
    --shards 10 --image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:0.1.0 --role arn:aws:iam::123456789012:role/embatch
  embatch submit kubernetes … --print | kubectl apply -f -`;

export const statusExamples = `
Examples:
  embatch status --state s3://bucket/state
  embatch status --state s3://bucket/state --watch

Exit codes: 0 all shards are done, 20 done with dead letters, 26 still running, 27 a shard is dead, failed or never started.`;

export const finalizeExamples = `
Examples:
  embatch finalize --state s3://bucket/state --sink opensearch://host:9200/docs`;
