"""A small controller: every Fleet gets a Deployment of its own and learns how many of its boats are afloat.

    python controller.py            # with the current context of KUBECONFIG

It is level-driven: whatever happened, `reconcile` compares what is wanted with what is there. Fleets and Deployments are
watched; an event of either only says which Fleet to look at again.
"""

import queue
import threading

from kubernetes import client, config, dynamic, watch

API_VERSION = "example.com/v1"


class Controller:
    def __init__(self, api: client.ApiClient):
        self.fleets = dynamic.DynamicClient(api).resources.get(api_version=API_VERSION, kind="Fleet")
        self.apps = client.AppsV1Api(api)
        self.due: queue.Queue[tuple[str, str] | None] = queue.Queue()

    def run(self) -> None:
        """Reconciles until `stop` is called."""
        threading.Thread(target=self.follow_fleets, daemon=True).start()
        threading.Thread(target=self.follow_deployments, daemon=True).start()
        while key := self.due.get():
            try:
                self.reconcile(*key)
            except (client.ApiException, dynamic.exceptions.DynamicApiError) as error:
                # Somebody else was faster, or the object is going: its next event brings it back here.
                if error.status not in (404, 409):
                    raise

    def stop(self) -> None:
        self.due.put(None)

    def follow_fleets(self) -> None:
        for event in self.fleets.watch():
            metadata = event["object"].metadata
            self.due.put((metadata.namespace, metadata.name))

    def follow_deployments(self) -> None:
        for event in watch.Watch().stream(self.apps.list_deployment_for_all_namespaces):
            for owner in event["object"].metadata.owner_references or []:
                if owner.kind == "Fleet":
                    self.due.put((event["object"].metadata.namespace, owner.name))

    def reconcile(self, namespace: str, name: str) -> None:
        fleet = self.fleets.get(name=name, namespace=namespace)
        if fleet.metadata.deletionTimestamp:
            return
        # Server-side apply states all that this controller wants of the Deployment, and nothing else.
        deployment = self.apps.patch_namespaced_deployment(
            name,
            namespace,
            wanted_deployment(fleet),
            field_manager="fleet-controller",
            force=True,
            _content_type="application/apply-patch+yaml",
        )
        afloat = deployment.status.ready_replicas or 0
        status = {"afloat": afloat, "observedGeneration": fleet.metadata.generation}
        if dict(fleet.get("status") or {}) != status:
            self.fleets.status.patch(
                body={"apiVersion": API_VERSION, "kind": "Fleet", "metadata": {"name": name}, "status": status},
                namespace=namespace,
                content_type="application/merge-patch+json",
            )


def wanted_deployment(fleet) -> dict:
    labels = {"fleet": fleet.metadata.name}
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Fleet",
        "name": fleet.metadata.name,
        "uid": fleet.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    container = {"name": "boat", "image": fleet.spec.image, "ports": [{"containerPort": 80}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": fleet.metadata.name, "labels": labels, "ownerReferences": [owner]},
        "spec": {
            "replicas": fleet.spec.boats,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


if __name__ == "__main__":
    config.load_kube_config()
    Controller(client.ApiClient()).run()
