//! Tests of `endpointslice`: tables, and the whole story on a fake apiserver.

use std::sync::Arc;

use coracle_api::kinds;
use coracle_client::{PatchType, Propagation, Write};
use serde_json::{Value, json};

use super::{Selected, desired, endpoints, mirror, slices};
use crate::{
    testing::{Harness, body_of, lines, view},
    view::{EndpointSlice, Endpoints, Pod, Service},
};

/// A pod: `name ip flags`, flags of `r` (ready), `t` (terminating), `f` (finished).
fn pod(text: &str) -> Arc<Pod> {
    let words: Vec<&str> = text.split(' ').collect();
    let (name, ip, flags) = (words[0], words[1], words.get(2).copied().unwrap_or_default());
    let ready = if flags.contains('r') { "True" } else { "False" };
    let phase = if flags.contains('f') {
        "Succeeded"
    } else {
        "Running"
    };
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "ns", "labels": {"app": "eva"}},
        "spec": {
            "nodeName": "node-1", "hostname": name, "subdomain": "eva",
            "containers": [{"ports": [{"name": "web", "containerPort": 8080, "protocol": "TCP"}]}],
        },
        "status": {"phase": phase, "podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    });
    if flags.contains('t') {
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    view(pod)
}

fn service(spec: Value) -> Arc<Service> {
    view(json!({"metadata": {"name": "eva", "namespace": "ns", "labels": {"team": "a"}}, "spec": spec}))
}

fn selected(spec: Value, pods: &[&str]) -> Selected {
    Selected {
        service: service(spec),
        pods: pods.iter().map(|text| (pod(text), Some("west".into()))).collect(),
    }
}

fn usual() -> Value {
    json!({"selector": {"app": "eva"}, "clusterIP": "10.96.0.9", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}]})
}

#[test]
fn conditions_follow_the_pod() {
    let check = |flags: &str, publish: bool, expected: Option<[bool; 3]>| {
        let mut spec = usual();
        spec["publishNotReadyAddresses"] = publish.into();
        let groups = desired::slices(&selected(spec, &[&format!("one 10.0.0.1 {flags}")]));
        let found = groups.values().flatten().next().map(|endpoint| {
            let own = endpoint.conditions;
            [own.ready, own.serving, own.terminating].map(|condition| condition == Some(true))
        });
        assert_eq!(found, expected, "{flags} publish {publish}");
    };
    check("r", false, Some([true, true, false]));
    check("", false, Some([false, false, false]));
    check("", true, Some([true, false, false]));
    check("rt", false, Some([false, true, true]));
    check("t", true, Some([true, false, true]));
    check("f", false, None);
    let without_address = selected(usual(), &["one none r"]);
    assert!(desired::slices(&without_address).is_empty());
}

#[test]
fn named_ports_are_each_pods_own() {
    let spec = json!({"selector": {"app": "eva"}, "ports": [
        {"name": "a", "port": 80, "protocol": "TCP", "targetPort": "web"},
        {"name": "b", "port": 53, "protocol": "UDP", "targetPort": "web"},
        {"name": "c", "port": 443, "protocol": "TCP"},
    ]});
    let mut selected = selected(spec, &["one 10.0.0.1 r"]);
    let other = json!({"metadata": {"name": "two", "namespace": "ns"}, "spec": {"containers": [
        {"ports": [{"name": "web", "containerPort": 9090}]}]}, "status": {"podIP": "10.0.0.2"}});
    selected.pods.push((view(other), None));
    let groups = desired::slices(&selected);
    let found: Vec<String> = groups
        .iter()
        .map(|(ports, endpoints)| {
            let ports: Vec<String> = ports
                .iter()
                .map(|port| format!("{}={}", port.name, port.port))
                .collect();
            format!("{} for {}", ports.join(","), endpoints[0].addresses[0])
        })
        .collect();
    assert_eq!(found, ["a=8080,c=443 for 10.0.0.1", "a=9090,c=443 for 10.0.0.2"]);
    let endpoint = groups.values().flatten().next().unwrap();
    assert_eq!(endpoint.hostname.as_deref(), Some("one"));
    assert_eq!(endpoint.zone.as_deref(), Some("west"));
    assert_eq!(endpoint.hints, None);
}

/// A snapshot with slices of these pods each, planned.
fn planned(wanted: &[&str], present: &[&[&str]]) -> coracle_runtime::Plan {
    let service = service(usual());
    let labels = slices::labels(&service.meta.labels, "eva", slices::SELECTOR, false);
    let slice = |(index, pods): (usize, &&[&str])| -> Arc<EndpointSlice> {
        let groups = desired::slices(&selected(usual(), pods));
        let (ports, endpoints) = groups.into_iter().next().unwrap_or_default();
        view(json!({
            "metadata": {"name": format!("eva-{index}"), "namespace": "ns", "labels": labels},
            "ports": ports, "endpoints": endpoints,
        }))
    };
    slices::plan(&slices::Snapshot {
        service: service.meta.key(),
        owner: (kinds::SERVICE, service.meta.clone()),
        labels: labels.clone(),
        present: present.iter().enumerate().map(slice).collect(),
        groups: desired::slices(&selected(usual(), wanted)),
    })
}

#[test]
fn slices_are_written_as_little_as_can_be() {
    let check = |wanted: &[&str], present: &[&[&str]], expected: &[&str]| {
        let found: Vec<String> = lines(&planned(wanted, present))
            .into_iter()
            .map(|line| line.split(" {").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(found, expected, "{wanted:?} {present:?}");
    };
    check(&[], &[], &["create endpointslices eva-"]);
    check(&[], &[&[]], &[]);
    check(&["a 10.0.0.1 r"], &[], &["create endpointslices eva-"]);
    check(&["a 10.0.0.1 r"], &[&["a 10.0.0.1 r"]], &[]);
    check(
        &["a 10.0.0.1 r"],
        &[&["a 10.0.0.1"]],
        &["patch endpointslices eva-0"],
    );
    check(
        &["a 10.0.0.1 r", "b 10.0.0.2 r"],
        &[&["a 10.0.0.1 r"]],
        &["patch endpointslices eva-0"],
    );
    check(
        &["a 10.0.0.1 r"],
        &[&["a 10.0.0.1 r"], &["b 10.0.0.2 r"]],
        &["delete endpointslices eva-1 now"],
    );
    check(&[], &[&["a 10.0.0.1 r"]], &["patch endpointslices eva-0"]);
}

#[test]
fn a_slice_holds_a_hundred() {
    let names: Vec<String> = (0..250)
        .map(|index| format!("p{index} 10.0.1.{index} r"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = planned(&names, &[]);
    assert_eq!(plan.steps.len(), 3);
    let body = body_of(&plan, "create endpointslices");
    assert_eq!(
        body["endpoints"].as_array().map(Vec::len),
        Some(slices::MAX_ENDPOINTS)
    );
    let labels = &body["metadata"]["labels"];
    assert_eq!(labels["kubernetes.io/service-name"], "eva");
    assert_eq!(labels["endpointslice.kubernetes.io/managed-by"], slices::SELECTOR);
    assert_eq!(labels["team"], "a");
    assert_eq!(body["metadata"]["ownerReferences"][0]["kind"], "Service");
    assert_eq!(
        body["ports"],
        json!([{"name": "", "port": 8080, "protocol": "TCP"}])
    );
}

#[test]
fn endpoints_tell_ready_from_not_ready() {
    let chosen = selected(usual(), &["a 10.0.0.1 r", "b 10.0.0.2", "c 10.0.0.3 rt"]);
    let (subsets, truncated) = desired::subsets(&chosen);
    assert!(!truncated);
    let ips = |addresses: &[crate::view::Address]| {
        addresses.iter().map(|own| own.ip.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ips(&subsets[0].addresses), ["10.0.0.1"]);
    assert_eq!(ips(&subsets[0].not_ready_addresses), ["10.0.0.2"]);
    let service = Some((chosen.service, subsets.clone(), false));
    let plan = endpoints::plan(&endpoints::Snapshot {
        service: service.clone(),
        present: None,
    });
    let created = body_of(&plan, "create endpoints eva");
    let typed: Result<k8s_openapi::api::core::v1::Endpoints, _> = serde_json::from_value(created.clone());
    assert!(typed.is_ok(), "the apiserver would refuse it: {typed:?}");
    let present: Arc<Endpoints> = view(created);
    assert_eq!(present.subsets, subsets);
    let settled = endpoints::plan(&endpoints::Snapshot {
        service,
        present: Some(Arc::clone(&present)),
    });
    assert!(settled.is_empty(), "{:?}", lines(&settled));
    let gone = endpoints::plan(&endpoints::Snapshot {
        service: None,
        present: Some(present),
    });
    assert_eq!(lines(&gone), ["delete endpoints eva now"]);
}

#[test]
fn endpoints_of_a_person_are_mirrored() {
    let endpoints: Arc<Endpoints> = view(json!({
        "metadata": {"name": "db", "namespace": "ns"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}], "ports": [{"port": 5432, "protocol": "TCP"}]}],
    }));
    let groups = mirror::groups(&endpoints);
    assert_eq!(groups.len(), 1);
    let found = groups.values().next().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].conditions.ready, Some(true));
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_pods_and_services() {
    let harness = Harness::start();
    let labels = json!({"app": "eva", "release": "west"});
    for name in ["one", "two"] {
        let pod = json!({"metadata": {"name": name, "namespace": "ns", "labels": labels}, "spec": {"containers": [{"name": "c"}]}});
        harness.create(kinds::POD, pod).await;
    }
    let other = json!({"metadata": {"name": "east", "namespace": "ns", "labels": {"app": "eva"}}, "spec": {"containers": []}});
    harness.create(kinds::POD, other).await;
    let service = json!({"metadata": {"name": "eva", "namespace": "ns"}, "spec": {
        "selector": labels, "ports": [{"port": 80, "protocol": "TCP"}]}});
    harness.create(kinds::SERVICE, service).await;
    for (index, name) in ["one", "two", "east"].iter().enumerate() {
        give_address(&harness, name, index).await;
    }
    let addresses = |api: &coracle_runtime::fake::FakeApi| {
        let slices = api.all(kinds::ENDPOINT_SLICE);
        let endpoints = slices
            .iter()
            .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default());
        let mut found: Vec<String> = endpoints
            .filter(|endpoint| endpoint["conditions"]["ready"] == true)
            .filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned))
            .collect();
        found.sort();
        found
    };
    harness
        .until("both", |api| addresses(api) == ["10.0.0.0", "10.0.0.1"])
        .await;
    harness
        .until("endpoints", |api| {
            let found = api.find(kinds::ENDPOINTS, "ns", "eva").unwrap_or_default();
            found["subsets"][0]["addresses"]
                .as_array()
                .is_some_and(|all| all.len() == 2)
        })
        .await;
    harness.delete(kinds::POD, "one", Propagation::Background).await;
    harness
        .until("one gone", |api| addresses(api) == ["10.0.0.1"])
        .await;
    harness
        .patch(
            kinds::SERVICE,
            "eva",
            json!({"spec": {"selector": {"release": null}}}),
        )
        .await;
    harness
        .until("wider", |api| addresses(api) == ["10.0.0.1", "10.0.0.2"])
        .await;
    harness
        .delete(kinds::SERVICE, "eva", Propagation::Background)
        .await;
    harness
        .until("all gone", |api| {
            api.all(kinds::ENDPOINT_SLICE).is_empty() && api.all(kinds::ENDPOINTS).is_empty()
        })
        .await;
}

async fn give_address(harness: &Harness, name: &str, index: usize) {
    harness
        .until("ready", |api| {
            let pod = api.find(kinds::POD, "ns", name).unwrap_or_default();
            pod["status"]["phase"] == "Running"
        })
        .await;
    let write = Write::Patch {
        resource: kinds::POD,
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        subresource: "status",
        patch_type: PatchType::Merge,
        patch: json!({"status": {"podIP": format!("10.0.0.{index}")}})
            .to_string()
            .into(),
        uid: String::new(),
        revision: 0,
    };
    harness.write(write).await;
}
