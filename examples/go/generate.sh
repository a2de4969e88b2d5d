#!/bin/sh
# Compiles ../../proto for Go into ./src/coracle/v1. Needs protoc, protoc-gen-go and protoc-gen-go-grpc, and
# google/rpc/status.proto below GOOGLEAPIS (any checkout of googleapis, or PyPI's googleapis-common-protos).
set -eu
cd "$(dirname "$0")"
rm -rf src/coracle
mkdir -p src
protoc -I ../../proto -I "$GOOGLEAPIS" \
  --go_out=src --go-grpc_out=src \
  --go_opt=Mcoracle/v1/object.proto=coracle/v1 --go-grpc_opt=Mcoracle/v1/object.proto=coracle/v1 \
  --go_opt=Mcoracle/v1/summary.proto=coracle/v1 --go-grpc_opt=Mcoracle/v1/summary.proto=coracle/v1 \
  --go_opt=Mgoogle/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status \
  coracle/v1/object.proto coracle/v1/summary.proto
