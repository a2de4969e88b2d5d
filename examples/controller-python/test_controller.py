"""The controller against a real API server with real controllers: `coracle run -- python -m pytest`.

`coracle run` starts a throwaway cluster, points KUBECONFIG at it and takes it away again, so the tests need nothing
but the binary.
"""

import pathlib
import threading
import time

import pytest
from controller import API_VERSION, Controller
from kubernetes import client, config, dynamic, utils

HERE = pathlib.Path(__file__).parent
DEADLINE_SECONDS = 60


def eventually(what: str, check):
    """Waits until `check` answers something true, and answers it."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (answer := check()):
        assert time.monotonic() < end, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="session")
def api():
    config.load_kube_config()
    api = client.ApiClient()
    utils.create_from_yaml(api, str(HERE / "fleet.yaml"))

    def is_served():
        dynamic_client = dynamic.DynamicClient(api)
        return dynamic_client.resources.search(api_version=API_VERSION, kind="Fleet")

    eventually("the kind Fleet is served", is_served)
    controller = Controller(api)
    thread = threading.Thread(target=controller.run)
    thread.start()
    yield api
    controller.stop()
    thread.join()


@pytest.fixture
def fleets(api):
    return dynamic.DynamicClient(api).resources.get(api_version=API_VERSION, kind="Fleet")


def create(fleets, name: str, **spec):
    body = {"apiVersion": API_VERSION, "kind": "Fleet", "metadata": {"name": name}, "spec": spec}
    return fleets.create(body=body, namespace="default")


def afloat(fleets, name: str) -> int:
    return (fleets.get(name=name, namespace="default").get("status") or {}).get("afloat", 0)


def test_a_fleet_gets_its_boats_and_tells_how_many_float(api, fleets):
    created = create(fleets, "coast", boats=2)
    assert created.spec.image == "nginx:1.14.2", "the schema's default is filled in"
    eventually("two boats float", lambda: afloat(fleets, "coast") == 2)
    fleets.patch(
        body={"spec": {"boats": 3}}, name="coast", namespace="default", content_type="application/merge-patch+json"
    )
    eventually("three boats float", lambda: afloat(fleets, "coast") == 3)


def test_a_deployment_that_was_changed_by_hand_is_put_right(api, fleets):
    create(fleets, "lake", boats=1)
    eventually("one boat floats", lambda: afloat(fleets, "lake") == 1)
    apps = client.AppsV1Api(api)
    apps.patch_namespaced_deployment("lake", "default", {"spec": {"replicas": 5}})
    eventually(
        "one boat is wanted again", lambda: apps.read_namespaced_deployment("lake", "default").spec.replicas == 1
    )


def test_deleting_a_fleet_deletes_its_pods(api, fleets):
    create(fleets, "pond", boats=1)
    eventually("one boat floats", lambda: afloat(fleets, "pond") == 1)
    fleets.delete(name="pond", namespace="default")
    core = client.CoreV1Api(api)
    eventually("its pods are gone", lambda: not core.list_namespaced_pod("default", label_selector="fleet=pond").items)


def test_a_fleet_that_cannot_be_is_refused(fleets):
    with pytest.raises(dynamic.exceptions.UnprocessibleEntityError):
        create(fleets, "ocean", boats=1000)
