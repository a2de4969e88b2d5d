//! Cells of each kind, from objects as they are stored.

use coracle_api::kinds;

use super::*;

mod around;

/// When all tables here are made: two minutes after [`CREATED`].
const NOW: &str = "2026-11-22T15:53:44Z";
const CREATED: &str = "2026-11-22T15:51:44Z";

fn row(resource: &Resource, object: &serde_json::Value) -> String {
    let printer = printer(resource, "");
    let cells = (printer.cells)(object.to_string().as_bytes(), NOW.parse().unwrap()).unwrap();
    assert_eq!(cells.len(), printer.columns.len(), "{resource}");
    let text = cells.iter().map(|cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Empty => "<none>".to_owned(),
        Cell::Flag(flag) => flag.to_string(),
    });
    text.collect::<Vec<_>>().join(" | ")
}

/// An object named `x` with these other fields.
fn object(mut fields: serde_json::Value) -> serde_json::Value {
    let metadata = &mut fields["metadata"];
    metadata["name"] = "x".into();
    metadata["creationTimestamp"] = CREATED.into();
    fields
}

macro_rules! check {
    ($kind:ident, $fields:tt, $expected:expr) => {
        assert_eq!(row(kinds::$kind, &object(serde_json::json!($fields))), $expected)
    };
}

#[test]
fn every_kind_shows_even_an_empty_object() {
    for resource in kinds::RESOURCES
        .iter()
        .filter(|resource| resource.has_verb("get"))
    {
        let shown = row(resource, &object(serde_json::json!({})));
        assert!(shown.contains('x'), "{resource}: {shown}");
        let plain = &PLAIN as *const Printer;
        assert!(
            !std::ptr::eq(printer(resource, ""), plain),
            "{resource} has no table of its own"
        );
    }
}

#[test]
fn simple_kinds() {
    check!(CONFIG_MAP, {"data": {"a": "1"}, "binaryData": {"b": "AA=="}}, "x | 2 | 2m");
    check!(SECRET, {"type": "Opaque", "data": {"a": "MQ=="}}, "x | Opaque | 1 | 2m");
    check!(NAMESPACE, {"status": {"phase": "Active"}}, "x | Active | 2m");
    check!(SERVICE_ACCOUNT, {}, "x | 0 | 2m");
    check!(LEASE, {"spec": {"holderIdentity": "node-1"}}, "x | node-1 | 2m");
}

#[test]
fn workloads() {
    let spec = serde_json::json!({
        "replicas": 3,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["b", "a"]},
                {"key": "zone", "operator": "DoesNotExist"},
            ],
        },
        "template": {"spec": {"containers": [
            {"name": "c1", "image": "nginx:1.25"}, {"name": "c2", "image": "busybox"},
        ]}},
    });
    let tail = "c1,c2 | nginx:1.25,busybox | app=web,tier in (a,b),!zone";
    check!(
        DEPLOYMENT,
        {"spec": spec, "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
        format!("x | 2/3 | 3 | 1 | 2m | {tail}")
    );
    check!(
        REPLICA_SET,
        {"spec": spec, "status": {"replicas": 3, "readyReplicas": 2}},
        format!("x | 3 | 3 | 2 | 2m | {tail}")
    );
}

#[test]
fn sets_and_jobs() {
    let template = serde_json::json!({"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], "nodeSelector": {"a": "b"}}});
    let selector = serde_json::json!({"matchLabels": {"app": "web"}});
    check!(
        DAEMON_SET,
        {"spec": {"selector": selector, "template": template},
            "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2, "numberAvailable": 1}},
        "x | 3 | 2 | 1 | 2 | 1 | a=b | 2m | c | nginx:1.25 | app=web"
    );
    check!(
        STATEFUL_SET,
        {"spec": {"replicas": 3, "selector": selector, "template": template}, "status": {"readyReplicas": 2}},
        "x | 2/3 | 2m | c | nginx:1.25"
    );
    check!(
        REPLICATION_CONTROLLER,
        {"spec": {"replicas": 3, "selector": {"app": "web"}, "template": template}, "status": {"replicas": 3, "readyReplicas": 2}},
        "x | 3 | 3 | 2 | 2m | c | nginx:1.25 | app=web"
    );
    check!(
        CONTROLLER_REVISION,
        {"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": true}]}, "revision": 4},
        "x | statefulset.apps/web | 4 | 2m"
    );
    check!(
        JOB,
        {"spec": {"completions": 3, "selector": selector, "template": template},
            "status": {"succeeded": 1, "startTime": "2026-11-22T15:52:44Z"}},
        "x | Running | 1/3 | 60s | 2m | c | nginx:1.25 | app=web"
    );
    check!(
        JOB,
        {"spec": {"parallelism": 2}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}},
        "x | Complete | 0/1 of 2 |  | 2m |  |  | <none>"
    );
    check!(
        CRON_JOB,
        {"spec": {"schedule": "* * * * *", "suspend": false, "jobTemplate": {"spec": {"template": template}}},
            "status": {"active": [{}], "lastScheduleTime": "2026-11-22T15:53:00Z"}},
        "x | * * * * * | <none> | False | 1 | 44s | 2m | c | nginx:1.25 | <none>"
    );
    check!(
        POD_TEMPLATE,
        {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
        "x | c | i | a=b"
    );
}

#[test]
fn bounds_and_autoscalers() {
    check!(
        POD_DISRUPTION_BUDGET,
        {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        "x | 50% | N/A | 1 | 2m"
    );
    check!(LIMIT_RANGE, {}, "x | 2026-11-22T15:51:44Z");
    check!(
        RESOURCE_QUOTA,
        {"status": {"hard": {"pods": "10", "limits.cpu": "4", "requests.cpu": "2"}, "used": {"pods": "3"}}},
        "x | pods: 3/10, requests.cpu: 0/2 | limits.cpu: 0/4 | 2m"
    );
    check!(
        ENDPOINTS,
        {"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}, {"port": 443}]}]},
        "x | 10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more... | 2m"
    );
    let target = serde_json::json!({"kind": "Deployment", "name": "web"});
    let cpu = serde_json::json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
    let queue = serde_json::json!({"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "5"}}});
    check!(
        HORIZONTAL_POD_AUTOSCALER,
        {"spec": {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": target, "metrics": [cpu, queue, queue]},
            "status": {"currentReplicas": 2, "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}]}},
        "x | Deployment/web | cpu: 12%/80%, <unknown>/5 (avg) + 1 more... | 1 | 5 | 2 | 2m"
    );
    check!(
        HORIZONTAL_POD_AUTOSCALER_V1,
        {"spec": {"maxReplicas": 5, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 60}},
        "x | Deployment/web | cpu: <unknown>/60% | <unset> | 5 | 0 | 2m"
    );
}

#[test]
fn scales() {
    let scale = object(serde_json::json!({ "spec": { "replicas": 3 }, "status": { "replicas": 2 } }));
    let cells =
        (printer(kinds::DEPLOYMENT, "scale").cells)(scale.to_string().as_bytes(), NOW.parse().unwrap());
    assert_eq!(cells.unwrap(), ["x".into(), 3.into(), 2.into(), Cell::from("2m")]);
}

#[test]
fn services() {
    let ports = serde_json::json!([{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]);
    check!(
        SERVICE,
        {"spec": {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": ports, "selector": {"app": "web"}}},
        "x | NodePort | 10.96.0.7 | <none> | 80/TCP,53:30053/UDP | 2m | app=web"
    );
    check!(
        SERVICE,
        {"spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.7"]}},
        "x | LoadBalancer | 10.96.0.7 | <pending> | <none> | 2m | <none>"
    );
    check!(
        SERVICE,
        {
            "spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.7"], "externalIPs": ["1.2.3.4"]},
            "status": {"loadBalancer": {"ingress": [{"ip": "127.48.0.1"}, {"hostname": "lb"}]}},
        },
        "x | LoadBalancer | 10.96.0.7 | 127.48.0.1,lb,1.2.3.4 | <none> | 2m | <none>"
    );
    check!(
        SERVICE,
        {"spec": {"type": "ExternalName", "externalName": "example.org"}},
        "x | ExternalName | <none> | example.org | <none> | 2m | <none>"
    );
    check!(
        SERVICE,
        {"spec": {"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"]}},
        "x | ClusterIP | None | <none> | <none> | 2m | <none>"
    );
}

#[test]
fn nodes() {
    check!(
        NODE,
        {
            "metadata": {"labels": {
                "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge", "kubernetes.io/os": "linux",
            }},
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "127.16.0.1"}, {"type": "Hostname", "address": "x"}],
                "nodeInfo": {"kubeletVersion": "v1.33.0", "osImage": "Coracle", "containerRuntimeVersion": "sim://1"},
            },
        },
        "x | Ready,SchedulingDisabled | edge,worker | 2m | v1.33.0 | 127.16.0.1 | <none> | Coracle | <unknown> | sim://1"
    );
    check!(
        NODE,
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        "x | NotReady | <none> | 2m |  | <none> | <none> | <unknown> | <unknown> | <unknown>"
    );
}

#[test]
fn volumes() {
    check!(
        PERSISTENT_VOLUME,
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "default", "name": "data"},
                "storageClassName": "manual",
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Bound"},
        },
        "x | 1Gi | RWO,RWX | Retain | Bound | default/data | manual | <unset> |  | 2m | Filesystem"
    );
    check!(
        PERSISTENT_VOLUME_CLAIM,
        {
            "spec": {"volumeName": "pv", "storageClassName": "manual"},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
        },
        "x | Bound | pv | 1Gi | RWO | manual | <unset> | 2m | <unset>"
    );
    check!(
        PERSISTENT_VOLUME_CLAIM,
        {"metadata": {"deletionTimestamp": NOW}, "status": {"phase": "Pending"}},
        "x | Terminating |  |  |  |  | <unset> | 2m | <unset>"
    );
}

#[test]
fn events() {
    check!(
        EVENT,
        {
            "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-11-22T15:53:34.125423Z",
            "type": "Normal", "reason": "Scheduled", "message": "Assigned \n",
            "involvedObject": {"kind": "Pod", "name": "web"},
            "source": {}, "reportingComponent": "default-scheduler", "reportingInstance": "default-scheduler-vm",
        },
        "9s | Normal | Scheduled | pod/web |  | default-scheduler, default-scheduler-vm | Assigned | 9s | 1 | x"
    );
    check!(
        EVENT,
        {
            "firstTimestamp": CREATED, "lastTimestamp": "2026-11-22T15:53:43Z", "count": 4,
            "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container",
            "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{c}"},
            "source": {"component": "kubelet", "host": "node-1"},
        },
        "1s | Warning | BackOff | pod/web | spec.containers{c} | kubelet, node-1 | Back-off restarting failed \
         container | 2m | 4 | x"
    );
}

/// READY, STATUS and RESTARTS of a pod with this spec and status.
fn pod(spec: serde_json::Value, status: serde_json::Value, deleted: bool) -> String {
    let mut pod = object(serde_json::json!({ "spec": spec, "status": status }));
    if deleted {
        pod["metadata"]["deletionTimestamp"] = NOW.into();
    }
    row(kinds::POD, &pod)
        .split(" | ")
        .skip(1)
        .take(3)
        .collect::<Vec<_>>()
        .join(" | ")
}

macro_rules! check_pod {
    ($spec:tt, $status:tt, $deleted:expr, $expected:expr) => {
        assert_eq!(
            pod(serde_json::json!($spec), serde_json::json!($status), $deleted),
            $expected
        )
    };
}

#[test]
fn pods_show_what_keeps_them_from_running() {
    check_pod!({"containers": [{}]}, {"phase": "Pending"}, false, "0/1 | Pending | 0");
    check_pod!({"containers": [{}]}, {
        "phase": "Pending",
        "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}],
    }, false, "0/1 | ContainerCreating | 0");
    let running = serde_json::json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"ready": true, "restartCount": 0, "state": {"running": {}}}],
    });
    check_pod!({"containers": [{}]}, running, false, "1/1 | Running | 0");
    check_pod!({"containers": [{}]}, running, true, "1/1 | Terminating | 0");
    check_pod!({"containers": [{}]}, {
        "phase": "Running",
        "containerStatuses": [{
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-22T15:48:44Z"}},
        }],
    }, false, "0/1 | CrashLoopBackOff | 3 (5m ago)");
    check_pod!({"containers": [{}]}, {
        "phase": "Failed",
        "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "signal": 9}}}],
    }, false, "0/1 | Signal:9 | 0");
    check_pod!({"containers": [{}]}, {
        "phase": "Succeeded",
        "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
    }, true, "0/1 | Completed | 0");
    check_pod!({"containers": [{}]}, {"phase": "Failed", "reason": "Evicted"}, false, "0/1 | Evicted | 0");
    check_pod!({"containers": [{}]}, {"phase": "Running", "reason": "NodeLost"}, true, "0/1 | Unknown | 0");
    check_pod!({"containers": [{}]}, {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
    }, false, "0/1 | SchedulingGated | 0");
}

#[test]
fn pods_with_several_containers() {
    check_pod!({"containers": [{}, {}]}, {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            {"ready": true, "state": {"running": {}}},
        ],
    }, false, "1/2 | NotReady | 0");
    check_pod!({"containers": [{}], "initContainers": [{"name": "a"}, {"name": "b"}]}, {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "a", "state": {"terminated": {"exitCode": 0}}},
            {"name": "b", "state": {"running": {}}},
        ],
    }, false, "0/1 | Init:1/2 | 0");
    check_pod!({"containers": [{}], "initContainers": [{"name": "a"}]}, {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "a", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ],
    }, false, "0/1 | Init:CrashLoopBackOff | 2");
    check_pod!({"containers": [{}], "initContainers": [{"name": "a"}]}, {
        "phase": "Failed",
        "initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}],
    }, false, "0/1 | Init:ExitCode:3 | 0");
    check_pod!({"containers": [{}], "initContainers": [{"name": "a", "restartPolicy": "Always"}]}, {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "initContainerStatuses": [{"name": "a", "ready": true, "started": true, "restartCount": 1, "state": {"running": {}}}],
        "containerStatuses": [{"ready": true, "state": {"running": {}}}],
    }, false, "2/2 | Running | 1");
}

#[test]
fn pods_wide() {
    check!(
        POD,
        {
            "spec": {"nodeName": "node-1", "containers": [{}], "readinessGates": [{"conditionType": "a/b"}]},
            "status": {
                "phase": "Running", "podIP": "127.64.0.2", "podIPs": [{"ip": "127.64.0.2"}],
                "conditions": [{"type": "a/b", "status": "True"}],
            },
        },
        "x | 0/1 | Running | 0 | 2m | 127.64.0.2 | node-1 | <none> | 1/1"
    );
}
