"""Drives a cluster through the object service: drive.py CREDENTIALS SERVER"""

import json
import sys

import grpc
from connect import connect
from coracle.v1 import object_pb2 as pb
from coracle.v1 import object_pb2_grpc

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: from-python, labels: {made-by: python}}
data: {greeting: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: from-python, labels: {made-by: python}}
spec:
  replicas: 2
  selector: {matchLabels: {app: from-python}}
  template:
    metadata: {labels: {app: from-python}}
    spec: {containers: [{name: web, image: "nginx:1.16.1"}]}
"""


def main(credentials: str, server: str) -> None:
    objects = object_pb2_grpc.ObjectServiceStub(connect(credentials, server))
    kinds = objects.Discover(pb.DiscoverRequest())
    print(f"{len(kinds.resources)} kinds, among them {kinds.resources[0].kind}")

    applied = objects.ApplyManifest(pb.ApplyManifestRequest(manifest=MANIFEST))
    for result in applied.results:
        print(pb.ApplyOutcome.Name(result.outcome), result.object.kind, result.object.name)

    scale = {"spec": {"replicas": 3}}
    patched = objects.Patch(
        pb.PatchRequest(
            kind="deployments",
            namespace="default",
            name="from-python",
            type=pb.PATCH_TYPE_MERGE,
            patch=json.dumps(scale).encode(),
        )
    )
    print("scaled at revision", patched.object.revision)

    seen = 0
    pods = pb.WatchRequest(kind="pods", namespace="default", label_selector="app=from-python")
    watch = objects.Watch(pods, timeout=60)
    ready = set()
    for message in watch:
        for event in message.events:
            seen += 1
            if event.type in (pb.EVENT_TYPE_ADDED, pb.EVENT_TYPE_MODIFIED):
                body = json.loads(event.object.json)
                conditions = body.get("status", {}).get("conditions", [])
                if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                    ready.add(event.object.name)
        if len(ready) >= 3:
            watch.cancel()
            break
    print("ready:", len(ready))

    try:
        objects.Get(pb.GetRequest(kind="Pod", namespace="default", name="nobody"))
    except grpc.RpcError as error:
        print(error.code().name, error.details())

    for kind in ("deployments", "configmaps"):
        objects.Delete(pb.DeleteRequest(kind=kind, namespace="default", name="from-python"))
    print("deleted")


if __name__ == "__main__":
    main(*sys.argv[1:])
