"""What the `kubernetes` package of PyPI does against a cluster: client.py KUBECONFIG

Creates, lists, watches, patches, applies, reads logs, asks for a token and uses it. Ends with "ok", or with the
first thing that was not as it should be.
"""

import sys
import time

from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException

NAME = "from-python"
LABELS = {"app": NAME}
DEADLINE_SECONDS = 60


def deployment(image: str) -> client.V1Deployment:
    container = client.V1Container(name="web", image=image, ports=[client.V1ContainerPort(container_port=80)])
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=LABELS), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=LABELS), template=template)
    return client.V1Deployment(metadata=client.V1ObjectMeta(name=NAME), spec=spec)


def wait_for_ready_pods(core: client.CoreV1Api, count: int) -> list[client.V1Pod]:
    """Lists, then watches from the list's revision, as every controller does."""
    pods = core.list_namespaced_pod("default", label_selector=f"app={NAME}")
    ready = {pod.metadata.name: pod for pod in pods.items if is_ready(pod)}
    stream = watch.Watch()
    if len(ready) < count:
        for event in stream.stream(
            core.list_namespaced_pod,
            "default",
            label_selector=f"app={NAME}",
            resource_version=pods.metadata.resource_version,
            timeout_seconds=DEADLINE_SECONDS,
        ):
            pod = event["object"]
            ready.pop(pod.metadata.name, None)
            if event["type"] != "DELETED" and is_ready(pod):
                ready[pod.metadata.name] = pod
            if len(ready) >= count:
                stream.stop()
    assert len(ready) >= count, f"{len(ready)} pods became ready"
    return list(ready.values())


def is_ready(pod: client.V1Pod) -> bool:
    conditions = (pod.status.conditions or []) if pod.status else []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def refused(status: int, call, *arguments, **options) -> ApiException:
    try:
        call(*arguments, **options)
    except ApiException as error:
        assert error.status == status, f"answered {error.status}, not {status}: {error.body}"
        return error
    raise AssertionError(f"was not refused with {status}")


def workloads(core: client.CoreV1Api, apps: client.AppsV1Api) -> None:
    created = apps.create_namespaced_deployment("default", deployment("nginx:1.14.2"))
    assert created.metadata.uid and created.spec.strategy.type == "RollingUpdate"
    refused(409, apps.create_namespaced_deployment, "default", deployment("nginx:1.14.2"))
    pods = wait_for_ready_pods(core, 2)
    core.read_namespaced_pod_log(pods[0].metadata.name, "default")
    patched = apps.patch_namespaced_deployment(NAME, "default", deployment("nginx:1.16.1"))
    assert patched.metadata.generation == 2, patched.metadata.generation
    scaled = apps.patch_namespaced_deployment_scale(NAME, "default", {"spec": {"replicas": 1}})
    assert scaled.spec.replicas == 1 and scaled.status.selector == f"app={NAME}", scaled
    apps.delete_namespaced_deployment(NAME, "default", propagation_policy="Foreground")
    end = time.monotonic() + DEADLINE_SECONDS
    while core.list_namespaced_pod("default", label_selector=f"app={NAME}").items:
        assert time.monotonic() < end, "the pods stayed"
        time.sleep(0.1)


def pages(core: client.CoreV1Api) -> None:
    for number in range(5):
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"page-{number}"), data={"n": str(number)})
        core.create_namespaced_config_map("default", body)
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map("default", limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert [name for name in names if name.startswith("page-")] == [f"page-{n}" for n in range(5)], names
    stale = core.read_namespaced_config_map("page-0", "default")
    core.patch_namespaced_config_map("page-0", "default", {"data": {"n": "new"}})
    refused(409, core.replace_namespaced_config_map, "page-0", "default", stale)
    refused(404, core.read_namespaced_config_map, "nothing", "default")
    invalid = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="Not_A_Name"))
    assert "RFC 1123" in refused(422, core.create_namespaced_config_map, "default", invalid).body


def applies(api: client.ApiClient) -> None:
    from kubernetes import dynamic

    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    apply = lambda manager, body, **options: maps.server_side_apply(  # noqa: E731
        body=body, name="applied", namespace="default", field_manager=manager, **options
    )
    apply("one", body)
    other = {**body, "data": {"a": "2"}}
    try:
        apply("two", other)
        raise AssertionError("a conflict went through")
    except dynamic.exceptions.ConflictError:
        pass
    assert apply("two", other, force_conflicts=True).data.a == "2"


def tokens(core: client.CoreV1Api, configuration: client.Configuration) -> None:
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="robot"))
    core.create_namespaced_service_account("default", account)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", "default", request).status.token
    robot = client.Configuration()
    robot.host, robot.ssl_ca_cert = configuration.host, configuration.ssl_ca_cert
    robot.api_key = {"authorization": f"Bearer {token}"}
    as_robot = client.CoreV1Api(client.ApiClient(robot))
    message = refused(403, as_robot.list_namespaced_pod, "default").body
    assert "system:serviceaccount:default:robot" in message, message
    core.delete_namespaced_service_account("robot", "default")
    refused(401, as_robot.list_namespaced_pod, "default")


def main(kubeconfig: str) -> None:
    config.load_kube_config(kubeconfig)
    api = client.ApiClient()
    core = client.CoreV1Api(api)
    assert client.VersionApi(api).get_code().major == "1"
    workloads(core, client.AppsV1Api(api))
    pages(core)
    applies(api)
    tokens(core, client.Configuration.get_default_copy())
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
