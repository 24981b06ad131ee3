#!/bin/sh
# submit.sh SOURCE SINK STATE: four shards on a Ray cluster. Ends as the fleet ended.
set -eu
embatch=${EMBATCH:-embatch}
export RAY_API_SERVER_ADDRESS="${RAY_API_SERVER_ADDRESS:-http://127.0.0.1:8265}"

exec $embatch submit ray "$1" --sink "$2" --state "$3" --shards 4 --cpu "${CPUS:-1}" \
  --entrypoint "${ENTRYPOINT:-embatch}" --wait
