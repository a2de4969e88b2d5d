"""Waits until COUNT pods of a label selector are Running: wait_for_pods.py CREDENTIALS SERVER SELECTOR COUNT"""

import sys

from connect import connect
from coracle.v1 import object_pb2, summary_pb2, summary_pb2_grpc


def wait(credentials: str, server: str, selector: str, count: int, seconds: float = 60) -> list[str]:
    pods = summary_pb2_grpc.SummaryServiceStub(connect(credentials, server))
    running: dict[str, summary_pb2.Pod] = {}
    # A watch from revision zero tells the present state first and then every change.
    watch = pods.WatchPods(summary_pb2.WatchPodsRequest(label_selector=selector), timeout=seconds)
    for event in watch:
        pod = event.pod
        if event.type == object_pb2.EVENT_TYPE_DELETED:
            running.pop(pod.uid, None)
        elif pod.phase == summary_pb2.POD_PHASE_RUNNING and not pod.HasField("deleting"):
            running[pod.uid] = pod
        if len(running) >= count:
            watch.cancel()
            break
    return [f"{pod.name} {pod.ip} {pod.node_name}" for pod in running.values()]


if __name__ == "__main__":
    credentials, server, selector, count = sys.argv[1:]
    for line in wait(credentials, server, selector, int(count)):
        print(line)
