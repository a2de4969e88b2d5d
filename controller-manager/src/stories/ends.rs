//! The ends of things under disturbance: owners, namespaces, and what every namespace has.

use coracle_api::{Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::template;
use crate::testing::disturbance::{Deed, Story};

/// Nobody may take anything from the bystanders' namespaces.
fn takes_from_others(line: &str) -> bool {
    let (verb, object) = line.split_once(' ').unwrap_or_default();
    let elsewhere = object.contains(" ns/") || object.contains(" elsewhere/");
    ["delete", "remove"].contains(&verb) && elsewhere
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_emptied_and_goes() {
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "v1")});
    let metadata = |name: &str| json!({"namespace": "doomed", "name": name});
    let deeds = [
        Deed::Create(
            kinds::NAMESPACE,
            json!({"metadata": {"name": "doomed"}, "spec": {"finalizers": ["kubernetes"]}}),
        ),
        Deed::Create(kinds::SECRET, json!({"metadata": metadata("s")})),
        Deed::Create(
            kinds::REPLICA_SET,
            json!({"metadata": metadata("web"), "spec": spec}),
        ),
    ];
    let own = |api: &FakeApi, resource: &'static Resource| {
        let all = api.all(resource);
        all.iter()
            .filter(|object| object["metadata"]["namespace"] == "doomed")
            .count()
    };
    let all = [
        kinds::REPLICA_SET,
        kinds::POD,
        kinds::SECRET,
        kinds::SERVICE_ACCOUNT,
        kinds::CONFIG_MAP,
    ];
    Story::about([kinds::NAMESPACE].into_iter().chain(all))
        .act("two pods and an account", deeds, move |api| {
            own(api, kinds::POD) == 2 && own(api, kinds::SERVICE_ACCOUNT) == 1
        })
        .act(
            "nothing",
            [Deed::Delete(kinds::NAMESPACE, "doomed", Propagation::Background)],
            move |api| api.all(kinds::NAMESPACE).is_empty() && all.iter().all(|kind| own(api, kind) == 0),
        )
        .never(takes_from_others)
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn every_namespace_has_an_account_and_the_authority() {
    let has = |api: &FakeApi| {
        api.find(kinds::SERVICE_ACCOUNT, "ns", "default").is_some()
            && api.find(kinds::CONFIG_MAP, "ns", "kube-root-ca.crt").is_some()
    };
    let gone = |api: &FakeApi, line: &str| api.log().iter().any(|own| own == line);
    let delete = |resource, name| [Deed::Delete(resource, name, Propagation::Background)];
    Story::about([kinds::NAMESPACE, kinds::SERVICE_ACCOUNT, kinds::CONFIG_MAP])
        .act(
            "both",
            [Deed::Create(
                kinds::NAMESPACE,
                json!({"metadata": {"name": "ns"}}),
            )],
            has,
        )
        .act(
            "another account",
            delete(kinds::SERVICE_ACCOUNT, "default"),
            move |api| gone(api, "delete serviceaccounts ns/default") && has(api),
        )
        .act(
            "another copy",
            delete(kinds::CONFIG_MAP, "kube-root-ca.crt"),
            move |api| gone(api, "delete configmaps ns/kube-root-ca.crt") && has(api),
        )
        .survives_everything()
        .await;
}

/// A Secret of these owners, which are ConfigMaps.
fn owned(name: &str, owners: &[&str]) -> Deed {
    let owners = owners.iter().map(|owner| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": format!("uid-of-{owner}"),
            "blockOwnerDeletion": true,
        })
    });
    let owners: Vec<Value> = owners.collect();
    Deed::Create(
        kinds::SECRET,
        json!({"metadata": {"namespace": "ns", "name": name, "ownerReferences": owners}}),
    )
}

#[tokio::test(start_paused = true)]
async fn what_is_owned_goes_with_its_last_owner() {
    let owner = |name: &str| {
        let metadata = json!({"namespace": "ns", "name": name, "uid": format!("uid-of-{name}")});
        Deed::Create(kinds::CONFIG_MAP, json!({"metadata": metadata}))
    };
    let secrets = |api: &FakeApi| -> Vec<String> {
        let all = api.all(kinds::SECRET).into_iter();
        all.map(|own| own["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let delete = |name, way| [Deed::Delete(kinds::CONFIG_MAP, name, way)];
    Story::about([kinds::CONFIG_MAP, kinds::SECRET])
        .act(
            "all",
            [
                owner("a"),
                owner("b"),
                owner("c"),
                owned("of-a", &["a"]),
                owned("of-a-and-b", &["a", "b"]),
                owned("of-b", &["b"]),
                owned("of-c", &["c"]),
            ],
            move |api| secrets(api).len() == 4,
        )
        .act(
            "without those of a",
            delete("a", Propagation::Foreground),
            move |api| {
                let first = api.find(kinds::SECRET, "ns", "of-a-and-b").unwrap_or_default();
                let owners = first["metadata"]["ownerReferences"].as_array().map(Vec::len);
                secrets(api) == ["of-a-and-b", "of-b", "of-c"] && owners == Some(1)
            },
        )
        .act(
            "without those of b",
            delete("b", Propagation::Background),
            move |api| secrets(api) == ["of-c"],
        )
        .act(
            "what c set free stays",
            delete("c", Propagation::Orphan),
            move |api| {
                let last = api.find(kinds::SECRET, "ns", "of-c").unwrap_or_default();
                let owners = last["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
                api.find(kinds::CONFIG_MAP, "ns", "c").is_none() && owners == 0
            },
        )
        .never(|line| line == "delete secrets ns/of-c")
        .survives_everything()
        .await;
}
