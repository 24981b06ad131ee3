#!/bin/sh
# Starts ten instances, follows them to the end and exits as the fleet ended. More flags may follow: --print shows the
# request and sends nothing.
set -eu
cd "$(dirname "$0")"
account=${AWS_ACCOUNT:-123456789012}
export AWS_REGION="${AWS_REGION:-eu-central-1}"

${EMBATCH:-embatch} submit sagemaker --config job.yaml \
  --shards 10 \
  --image "$account.dkr.ecr.$AWS_REGION.amazonaws.com/embatch:0.1.0" \
  --role "arn:aws:iam::$account:role/embatch" \
  --instance-type ml.c7i.4xlarge \
  --timeout 12h \
  --tags team=search \
  --wait "$@"
