//! What each process of a cluster does at the apiserver, it may do.

use coracle_service::Peer;

use super::cluster;
use crate::{Attributes, ResourceAttributes};

/// Checks questions of the form `VERB[,VERB] GROUP/RESOURCE[/PART] [NAMESPACE [NAME]]`, `core` being the core group.
fn may_all(user: &Peer, questions: &[&str]) {
    let authorizer = cluster();
    for question in questions {
        let words: Vec<&str> = question.split(' ').collect();
        let word = |index: usize| words.get(index).copied().unwrap_or_default();
        let (group, resource) = word(1).split_once('/').unwrap();
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let about = ResourceAttributes {
            group: if group == "core" { "" } else { group },
            resource,
            subresource,
            namespace: word(2).trim_matches('-'),
            name: word(3),
            ..ResourceAttributes::default()
        };
        for verb in word(0).split(',') {
            let judged = authorizer.require(&Attributes::resource(user, verb, about));
            assert!(judged.is_ok(), "{question}: {judged:?}");
        }
    }
}

#[test]
fn the_scheduler_binds_and_tells() {
    let user = Peer::new("system:kube-scheduler", &["system:authenticated"]);
    may_all(
        &user,
        &[
            "list,watch core/nodes",
            "get,list,watch core/pods",
            "create core/pods/binding default p",
            "patch core/pods/status default p",
            "create,patch core/events default e",
            "get,update coordination.k8s.io/leases kube-system kube-scheduler",
            "create coordination.k8s.io/leases kube-system",
        ],
    );
}

#[test]
fn the_controllers_reach_what_they_control() {
    let user = Peer::new("system:kube-controller-manager", &["system:authenticated"]);
    may_all(
        &user,
        &[
            "get,list,watch,delete,patch,update,deletecollection core/pods default p",
            "get,list,watch,delete,patch,update apps/replicasets default r",
            "get,list,watch,delete,patch example.com/widgets default w",
            "create core/pods default",
            "create apps/replicasets default",
            "create core/serviceaccounts default",
            "create core/configmaps default",
            "patch apps/deployments/status default d",
            "patch core/persistentvolumes/status - v",
            "patch core/persistentvolumeclaims/status default c",
            "patch core/nodes/status - n",
            "patch core/nodes - n",
            "update core/namespaces/finalize team team",
            "list,watch apiextensions.k8s.io/customresourcedefinitions",
            "create,patch core/events default e",
            "create core/pods/eviction default p",
            "get,update coordination.k8s.io/leases kube-system kube-controller-manager",
            "create coordination.k8s.io/leases kube-system",
            "list,watch coordination.k8s.io/leases kube-node-lease",
        ],
    );
}

#[test]
fn the_edge_reads_what_it_serves_and_tells_where() {
    let user = Peer::new("system:edge", &["system:authenticated"]);
    may_all(
        &user,
        &[
            "list,watch core/services",
            "list,watch discovery.k8s.io/endpointslices",
            "list,watch networking.k8s.io/ingresses",
            "list,watch,create networking.k8s.io/ingressclasses",
            "list,watch core/secrets",
            "patch core/services/status default s",
            "patch networking.k8s.io/ingresses/status default i",
            "create,patch core/events default e",
        ],
    );
    for (verb, resource) in [("get", "secrets"), ("patch", "services"), ("list", "pods")] {
        let about = ResourceAttributes {
            resource,
            namespace: "default",
            ..ResourceAttributes::default()
        };
        let judged = cluster().require(&Attributes::resource(&user, verb, about));
        assert!(judged.is_err(), "{verb} {resource}");
    }
}

#[test]
fn the_dashboard_looks_and_speaks_for_its_viewers_and_no_more() {
    let user = Peer::new("system:dashboard", &["system:authenticated"]);
    may_all(
        &user,
        &[
            "list,watch core/pods",
            "list,watch core/nodes",
            "impersonate core/users - jane",
            "impersonate core/groups - system:masters",
            "impersonate core/serviceaccounts default robot",
            "create authentication.k8s.io/tokenreviews",
        ],
    );
    let authorizer = cluster();
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("list", "configmaps"),
        ("delete", "pods"),
        ("patch", "nodes"),
    ] {
        let about = ResourceAttributes {
            version: "v1",
            resource,
            ..ResourceAttributes::default()
        };
        let judged = authorizer.require(&Attributes::resource(&user, verb, about));
        assert!(judged.is_err(), "the dashboard may {verb} {resource} itself");
    }
}

#[test]
fn a_node_and_a_pool_keep_house() {
    let check = |user: &str, group: &str, node: &str, pod: &str| {
        let user = Peer::new(user, &["system:nodes", group, "system:authenticated"]);
        may_all(
            &user,
            &[
                "create core/nodes",
                "get,list,watch core/nodes",
                "list,watch core/services",
                "list,watch discovery.k8s.io/endpointslices",
                &format!("patch core/nodes - {node}"),
                &format!("patch core/nodes/status - {node}"),
                "create coordination.k8s.io/leases kube-node-lease",
                &format!("patch coordination.k8s.io/leases kube-node-lease {node}"),
                &format!("patch core/pods/status default {pod}"),
                &format!("get,delete core/pods default {pod}"),
                &format!("get core/secrets default {pod}"),
                &format!("get core/configmaps default {pod}"),
                &format!("get core/persistentvolumeclaims default {pod}"),
                &format!("get core/persistentvolumes - {pod}"),
                "create core/serviceaccounts/token default robot",
                "create,patch core/events default e",
            ],
        );
    };
    check("system:node:node-1", "system:nodes", "node-1", "one");
    check("system:nodepool:node-7", "system:nodepools", "node-7", "seven");
}
