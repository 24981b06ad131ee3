#!/bin/sh
# submit.sh [--print]: fifty shards on AWS Batch. Ends as the fleet ended.
set -eu
cd "$(dirname "$0")"
embatch=${EMBATCH:-embatch}
export AWS_REGION="${AWS_REGION:-eu-central-1}"

exec $embatch submit aws-batch --config job.yaml --shards 50 --queue docs \
  --image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:0.1.0 \
  --role arn:aws:iam::123456789012:role/embatch --cpu 8 --memory 16GiB --retries 9 "${@:---wait}"
