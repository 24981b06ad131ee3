#!/bin/sh
# Brings the index up to date and proves that it is whole. Exit code 0: it is; 20: it is, but for the dead letters.
set -u
cd "$(dirname "$0")" || exit 2
embatch=${EMBATCH:-embatch}

# --single-instance: last night may not be over yet.
$embatch run --config job.yaml --single-instance --json > summary.json 2> nightly.log
code=$?

if [ "$code" -eq 0 ] || [ "$code" -eq 20 ]; then
  $embatch verify --config job.yaml >> nightly.log 2>&1 || code=$?
fi
if [ "$code" -ne 0 ]; then
  echo "embatch ended with exit code $code; the last lines of $PWD/nightly.log:" >&2
  tail -n 5 nightly.log >&2
fi
exit "$code"
