//! The life of a pod as tables: what is observed, what is done, what the status shows.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Moment,
    container::{Reason, State, Waits},
    effect::Effect,
    view::PodView,
    worker::{Stage, Worker},
};
use crate::{probes::ProbeKind, status};

const WAITS: Waits = Waits {
    initial: Duration::from_secs(10),
    max: Duration::from_secs(300),
};
const IP: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 2);
const HOST: Ipv4Addr = Ipv4Addr::new(127, 16, 0, 1);

fn at(seconds: u64) -> Moment {
    let wall = Timestamp::from_second(1_700_000_000).expect("in range") + Duration::from_secs(seconds);
    Moment {
        wall,
        elapsed: Duration::from_secs(seconds),
    }
}

fn pod(spec: Value) -> Arc<PodView> {
    let mut spec = spec;
    spec["nodeName"] = "node-1".into();
    let metadata = json!({"name": "web", "namespace": "default", "uid": "uid-1"});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("pod"))
}

fn deleted(pod: &PodView, grace: u32, now: Moment) -> Arc<PodView> {
    let (init, main) = (pod.spec.init_containers.len(), pod.spec.containers.len());
    let named = |count: usize| {
        (0..count)
            .map(|at| json!({"name": format!("c{at}")}))
            .collect::<Vec<_>>()
    };
    let end = now.wall + Duration::from_secs(u64::from(grace));
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "uid-1",
                "deletionTimestamp": end, "deletionGracePeriodSeconds": grace},
            "spec": {"nodeName": "node-1", "initContainers": named(init), "containers": named(main)},
        }))
        .expect("pod"),
    )
}

/// A worker with what it said last.
struct Harness {
    worker: Worker,
    said: Vec<Effect>,
}

impl Harness {
    fn new(spec: Value) -> Self {
        let mut harness = Self {
            worker: Worker::new(pod(spec), WAITS, at(0)),
            said: Vec::new(),
        };
        harness.at(0, Worker::advance);
        harness
    }

    /// Prepared, at second 0.
    fn prepared(spec: Value) -> Self {
        let mut harness = Self::new(spec);
        assert_eq!(harness.doings(), ["prepare"]);
        harness.at(0, |worker, now, out| worker.prepared(IP, now, out));
        harness
    }

    fn at(&mut self, seconds: u64, act: impl FnOnce(&mut Worker, Moment, &mut Vec<Effect>)) {
        self.said.clear();
        act(&mut self.worker, at(seconds), &mut self.said);
    }

    fn start(&mut self, seconds: u64, container: usize) {
        let instance = self.worker.containers[container].instance;
        self.at(seconds, |worker, now, out| {
            worker.started(container, instance, now, out)
        });
    }

    fn end(&mut self, seconds: u64, container: usize, code: i32) {
        let instance = self.worker.containers[container].instance;
        self.at(seconds, |worker, now, out| {
            worker.ended(container, instance, code, now, out)
        });
    }

    /// What was said last, events left out.
    fn doings(&self) -> Vec<String> {
        let text = |effect: &Effect| match effect {
            Effect::Prepare => Some("prepare".to_owned()),
            Effect::Start(container) => Some(format!("start {container}")),
            Effect::Stop(container, grace) => Some(format!("stop {container} in {}", grace.as_secs())),
            Effect::Remove => Some("remove".to_owned()),
            Effect::Event(_) => None,
        };
        self.said.iter().filter_map(text).collect()
    }

    fn events(&self) -> Vec<&'static str> {
        let reason = |effect: &Effect| match effect {
            Effect::Event(note) => Some(note.reason),
            _ => None,
        };
        self.said.iter().filter_map(reason).collect()
    }

    fn status(&self) -> Value {
        let patch: Value = serde_json::from_slice(&status::patch(&self.worker, HOST)).expect("patch");
        patch["status"].clone()
    }

    /// `PHASE ready=BOOL restarts=N REASON`
    fn summary(&self) -> String {
        let status = self.status();
        let container = &status["containerStatuses"][0];
        let state = container["state"]
            .as_object()
            .and_then(|state| state.iter().next())
            .expect("state");
        let reason = state.1["reason"].as_str().unwrap_or(state.0);
        let ready = status["conditions"]
            .as_array()
            .and_then(|list| list.iter().find(|condition| condition["type"] == "Ready"))
            .map(|condition| condition["status"] == "True");
        format!(
            "{} ready={} restarts={} {reason}",
            status["phase"].as_str().expect("phase"),
            ready.expect("condition Ready"),
            container["restartCount"]
        )
    }
}

fn one() -> Value {
    json!({"containers": [{"name": "c0", "image": "nginx"}]})
}

#[test]
fn a_pod_without_ado_runs_at_once() {
    let mut pod = Harness::new(one());
    assert_eq!(pod.doings(), ["prepare"]);
    assert_eq!(pod.summary(), "Pending ready=false restarts=0 ContainerCreating");
    pod.at(0, |worker, now, out| worker.prepared(IP, now, out));
    assert_eq!(pod.doings(), ["start 0"]);
    pod.start(0, 0);
    assert_eq!(pod.summary(), "Running ready=true restarts=0 running");
    assert_eq!(pod.status()["podIP"], "127.64.0.2");
    pod.at(100, Worker::advance);
    assert!(pod.doings().is_empty(), "level-driven: nothing is done twice");
}

#[test]
fn a_pod_that_was_given_up_says_that_it_is_well() {
    let shown = |ready: Value| {
        let metadata = json!({"name": "web", "namespace": "default", "uid": "uid-1"});
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "True"}, ready]});
        let mut spec = one();
        spec["nodeName"] = "node-1".into();
        let pod = json!({"metadata": metadata, "spec": spec, "status": status});
        Arc::new(serde_json::from_value::<PodView>(pod).expect("pod"))
    };
    let given_up = || shown(json!({"type": "Ready", "status": "False"}));
    let own_word = shown(json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady"}));
    let mut pod = Harness::prepared(one());
    pod.worker.changed = false;
    pod.worker.update(given_up());
    assert!(!pod.worker.changed, "it is not ready indeed");
    pod.start(0, 0);
    pod.worker.changed = false;
    pod.worker.update(own_word);
    assert!(!pod.worker.changed, "that was said before it was ready");
    pod.worker.update(given_up());
    assert!(pod.worker.changed, "its node was taken for dead and is not");
}

#[test]
fn a_container_that_ends_again_and_again_waits_longer_and_longer() {
    let mut pod = Harness::prepared(one());
    pod.start(0, 0);
    pod.end(1, 0, 1);
    assert_eq!(
        pod.doings(),
        ["start 0"],
        "the first time it starts again at once"
    );
    pod.start(1, 0);
    let mut now = 1;
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        pod.end(now, 0, 1);
        assert_eq!((pod.doings(), pod.events()), (vec![], vec!["BackOff"]));
        assert!(pod.summary().ends_with("CrashLoopBackOff"), "{}", pod.summary());
        assert!(
            pod.summary().starts_with("Running ready=false"),
            "{}",
            pod.summary()
        );
        pod.at(now + wait - 1, Worker::advance);
        assert!(pod.doings().is_empty(), "not before {wait} s");
        assert_eq!(pod.worker.next_wake(), Some(Duration::from_secs(now + wait)));
        now += wait;
        pod.at(now, Worker::advance);
        assert_eq!(pod.doings(), ["start 0"], "after {wait} s");
        pod.start(now, 0);
    }
    assert_eq!(pod.summary(), "Running ready=true restarts=8 running");
    pod.end(now + 600, 0, 1);
    assert_eq!(
        pod.doings(),
        ["start 0"],
        "after a long run it starts again at once"
    );
}

#[test]
fn restart_policies_decide_what_an_end_means() {
    let check = |policy: &str, code: i32, expected: &str| {
        let mut spec = one();
        spec["restartPolicy"] = policy.into();
        let mut pod = Harness::prepared(spec);
        pod.start(0, 0);
        pod.end(1, 0, code);
        assert_eq!(pod.summary(), expected, "{policy} {code}");
        pod.doings()
    };
    assert_eq!(
        check("Always", 0, "Running ready=false restarts=1 ContainerCreating"),
        ["start 0"]
    );
    assert_eq!(
        check("OnFailure", 1, "Running ready=false restarts=1 ContainerCreating"),
        ["start 0"]
    );
    assert!(check("OnFailure", 0, "Succeeded ready=false restarts=0 Completed").is_empty());
    assert!(check("Never", 0, "Succeeded ready=false restarts=0 Completed").is_empty());
    assert!(check("Never", 3, "Failed ready=false restarts=0 Error").is_empty());
}

#[test]
fn an_image_that_cannot_be_pulled_is_tried_again() {
    let mut pod = Harness::prepared(one());
    let mut now = 0;
    for wait in [10, 20, 40] {
        pod.at(now, |worker, now, out| {
            worker.cannot_start(0, Reason::ErrImagePull, "not found", now, out)
        });
        assert_eq!(pod.events(), ["Failed"]);
        assert_eq!(pod.summary(), "Pending ready=false restarts=0 ErrImagePull");
        pod.at(now + 1, Worker::advance);
        assert_eq!(pod.events(), ["BackOff"]);
        assert_eq!(pod.summary(), "Pending ready=false restarts=0 ImagePullBackOff");
        now += 1 + wait;
        pod.at(now - 1, Worker::advance);
        assert!(pod.doings().is_empty(), "not before {wait} s");
        pod.at(now, Worker::advance);
        assert_eq!(pod.doings(), ["start 0"]);
    }
}

#[test]
fn init_containers_run_one_after_the_other_and_before_the_rest() {
    let mut pod = Harness::prepared(json!({
        "initContainers": [{"name": "i0"}, {"name": "side", "restartPolicy": "Always"}, {"name": "i2"}],
        "containers": [{"name": "c0"}],
    }));
    assert_eq!(pod.doings(), ["start 0"]);
    assert_eq!(pod.summary(), "Pending ready=false restarts=0 PodInitializing");
    pod.start(0, 0);
    assert!(pod.doings().is_empty());
    pod.end(1, 0, 1);
    assert_eq!(pod.doings(), ["start 0"], "one that failed is repeated");
    pod.start(1, 0);
    pod.end(2, 0, 0);
    assert_eq!(pod.doings(), ["start 1"]);
    pod.start(2, 1);
    assert_eq!(pod.doings(), ["start 2"], "a sidecar has to start, not to end");
    pod.start(2, 2);
    pod.end(3, 2, 0);
    assert_eq!(pod.doings(), ["start 3"]);
    pod.start(3, 3);
    assert_eq!(pod.summary(), "Running ready=true restarts=0 running");
}

#[test]
fn a_failed_init_container_fails_a_pod_that_never_restarts() {
    let mut pod = Harness::prepared(
        json!({"restartPolicy": "Never", "initContainers": [{"name": "i0"}], "containers": [{"name": "c0"}]}),
    );
    pod.start(0, 0);
    pod.end(1, 0, 1);
    assert_eq!(pod.worker.stage, Stage::Finished);
    assert_eq!(pod.summary(), "Failed ready=false restarts=0 PodInitializing");
}

#[test]
fn a_deleted_pod_ends_its_containers_and_then_goes() {
    let mut pod = Harness::prepared(json!({"containers": [{"name": "c0"}, {"name": "c1"}]}));
    pod.start(0, 0);
    pod.start(0, 1);
    pod.at(5, |worker, now, out| {
        let gone = deleted(&worker.pod, 30, now);
        worker.update(gone);
        worker.advance(now, out);
    });
    assert_eq!(
        (pod.doings(), pod.events()),
        (
            vec!["stop 0 in 30".into(), "stop 1 in 30".into()],
            vec!["Killing"; 2]
        )
    );
    pod.end(6, 0, 0);
    assert!(pod.doings().is_empty());
    pod.end(7, 1, 143);
    assert_eq!(pod.doings(), ["remove"]);
    pod.at(8, Worker::advance);
    assert!(pod.doings().is_empty(), "it is removed once");
}

#[test]
fn a_deleted_pod_that_never_ran_goes_at_once() {
    let mut pod = Harness::new(one());
    pod.at(1, |worker, now, out| {
        let gone = deleted(&worker.pod, 30, now);
        worker.update(gone);
        worker.advance(now, out);
    });
    assert_eq!(pod.doings(), ["remove"]);
    pod.at(2, |worker, now, out| worker.prepared(IP, now, out));
    assert!(pod.doings().is_empty(), "what comes late starts nothing");
}

#[test]
fn what_a_former_instance_has_to_say_is_not_heard() {
    let mut pod = Harness::prepared(one());
    pod.start(0, 0);
    pod.end(1, 0, 1);
    pod.start(1, 0);
    pod.at(2, |worker, now, out| worker.ended(0, 0, 1, now, out));
    assert_eq!(pod.summary(), "Running ready=true restarts=1 running");
}

#[test]
fn readiness_follows_its_probe() {
    let probe = json!({"tcpSocket": {"port": 80}, "failureThreshold": 2, "successThreshold": 2});
    let mut pod = Harness::prepared(json!({"containers": [{"name": "c0", "readinessProbe": probe}]}));
    pod.start(0, 0);
    let mut check = |answer: Result<(), &str>, ready: bool| {
        let answer = answer.map_err(str::to_owned);
        pod.at(1, |worker, now, out| {
            worker.probed(0, 0, ProbeKind::Readiness, answer, now, out)
        });
        assert_eq!(pod.summary(), format!("Running ready={ready} restarts=0 running"));
    };
    check(Ok(()), false);
    check(Ok(()), true);
    check(Err("refused"), true);
    check(Ok(()), true);
    check(Err("refused"), true);
    check(Err("refused"), false);
}

#[test]
fn a_startup_probe_holds_the_others_back_and_a_liveness_probe_restarts() {
    let probe = json!({"httpGet": {"port": 80}, "failureThreshold": 1});
    let mut pod = Harness::prepared(
        json!({"containers": [{"name": "c0", "startupProbe": probe, "livenessProbe": probe}]}),
    );
    pod.start(0, 0);
    let fail = || Err("statuscode: 500".to_owned());
    pod.at(1, |worker, now, out| {
        worker.probed(0, 0, ProbeKind::Liveness, fail(), now, out)
    });
    assert!(pod.doings().is_empty());
    assert_eq!(pod.worker.wants_probe(0, 0, ProbeKind::Liveness), Some(false));
    pod.at(2, |worker, now, out| {
        worker.probed(0, 0, ProbeKind::Startup, Ok(()), now, out)
    });
    assert_eq!(pod.summary(), "Running ready=true restarts=0 running");
    assert_eq!(pod.worker.wants_probe(0, 0, ProbeKind::Startup), None);
    pod.at(3, |worker, now, out| {
        worker.probed(0, 0, ProbeKind::Liveness, fail(), now, out)
    });
    assert_eq!(
        (pod.doings(), pod.events()),
        (vec!["stop 0 in 30".into()], vec!["Unhealthy", "Killing"])
    );
    pod.end(4, 0, 0);
    assert_eq!(pod.doings(), ["start 0"]);
}

#[test]
fn a_probe_that_cannot_be_asked_counts_as_passed() {
    // The API refuses a probe that names nothing to ask.
    let probe = json!({"periodSeconds": 1});
    let mut pod = Harness::prepared(json!({"containers": [{"name": "c0", "readinessProbe": probe}]}));
    pod.start(0, 0);
    assert_eq!(pod.summary(), "Running ready=true restarts=0 running");
}

#[test]
fn a_reboot_keeps_the_pod_and_restarts_its_containers() {
    let mut before = Harness::prepared(one());
    before.start(0, 0);
    before.end(1, 0, 1);
    before.start(1, 0);
    let record = before.worker.record().expect("it has an address");
    let worker = Worker::restored(Arc::clone(&before.worker.pod), Some(&record), WAITS, at(9));
    let mut after = Harness {
        worker,
        said: Vec::new(),
    };
    after.at(9, |worker, now, out| worker.prepared(record.ip, now, out));
    assert_eq!(after.doings(), ["start 0"]);
    after.start(9, 0);
    assert_eq!(after.summary(), "Running ready=true restarts=2 running");
    let last = &after.status()["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(
        (&last["exitCode"], &last["reason"]),
        (&json!(255), &json!("Unknown"))
    );
    assert_eq!(after.status()["startTime"], "2023-11-14T22:13:20Z");
}

#[test]
fn a_reboot_leaves_alone_what_had_ended_for_good() {
    for (policy, running, phase) in [
        ("Never", false, "Succeeded"),
        ("Never", true, "Failed"),
        ("OnFailure", false, "Succeeded"),
    ] {
        let mut spec = one();
        spec["restartPolicy"] = policy.into();
        let mut before = Harness::prepared(spec);
        before.start(0, 0);
        if !running {
            before.end(1, 0, 0);
        }
        let record = before.worker.record().expect("it has an address");
        let worker = Worker::restored(Arc::clone(&before.worker.pod), Some(&record), WAITS, at(9));
        let mut after = Harness {
            worker,
            said: Vec::new(),
        };
        after.at(9, Worker::advance);
        after.at(9, |worker, now, out| worker.prepared(record.ip, now, out));
        assert!(after.doings().is_empty(), "{policy}");
        assert_eq!(after.status()["phase"], phase, "{policy} {running}");
    }
}

#[test]
fn without_its_own_record_a_node_believes_the_apiserver() {
    let json = json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "uid-1"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c0"}]},
        "status": {"phase": "Running", "podIP": "127.64.0.9", "startTime": "2023-11-14T22:13:20Z",
            "containerStatuses": [{"name": "c0", "restartCount": 4, "containerID": "coracle://x",
                "state": {"running": {"startedAt": "2023-11-14T22:13:20Z"}}}]},
    });
    let pod = Arc::new(serde_json::from_value::<PodView>(json).expect("pod"));
    let mut pod = Harness {
        worker: Worker::restored(pod, None, WAITS, at(9)),
        said: Vec::new(),
    };
    pod.at(9, |worker, now, out| worker.prepared(IP, now, out));
    pod.start(9, 0);
    assert_eq!(pod.summary(), "Running ready=true restarts=5 running");
    assert!(matches!(pod.worker.containers[0].state, State::Running(_)));
}
