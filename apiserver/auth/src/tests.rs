//! The authorizer as a whole: requests taken apart, impersonation, reviews, and the matrix of who may do what.

use std::collections::BTreeMap;

use coracle_service::Peer;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    Attributes, Authorizer, Found, Lookup, Mode, Observed, RequestInfo, ResourceAttributes, defaults,
    impersonation::Impersonation, node::POOL_ANNOTATION,
};

mod components;
mod matrix;
mod speed;

/// Objects by `GROUP/RESOURCE/NAMESPACE/NAME`.
#[derive(Default)]
pub(crate) struct Objects(Mutex<BTreeMap<String, Value>>);

impl Objects {
    pub(crate) fn put(&self, group: &str, resource: &str, object: &Value) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = format!("{group}/{resource}/{}/{}", text("namespace"), text("name"));
        self.0.lock().insert(key, object.clone());
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0.lock().remove(key).unwrap();
    }
}

impl Lookup for Objects {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Found> {
        let objects = self.0.lock();
        let object = objects.get(&format!("{group}/{resource}/{namespace}/{name}"))?;
        Some(Found {
            uid: object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
            is_deleting: false,
            json: object.to_string().into(),
        })
    }

    fn node_of_pod(&self, namespace: &str, name: &str) -> Option<String> {
        let objects = self.0.lock();
        let pod = objects.get(&format!("/pods/{namespace}/{name}"))?;
        Some(pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned())
    }

    fn list(&self, _: &str, _: &str, _: &str, _: usize) -> Vec<(String, Found)> {
        Vec::new()
    }
}

impl Lookup for std::sync::Arc<Objects> {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Found> {
        Objects::get(self, group, resource, namespace, name)
    }

    fn node_of_pod(&self, namespace: &str, name: &str) -> Option<String> {
        Objects::node_of_pod(self, namespace, name)
    }

    fn list(&self, group: &str, resource: &str, namespace: &str, limit: usize) -> Vec<(String, Found)> {
        Objects::list(self, group, resource, namespace, limit)
    }
}

/// A pod of namespace `default` with a Secret, a ConfigMap and a claim of its own name.
fn pod(name: &str, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")},
        "spec": {
            "nodeName": node, "serviceAccountName": "robot",
            "volumes": [
                {"name": "s", "secret": {"secretName": name}},
                {"name": "c", "persistentVolumeClaim": {"claimName": name}},
            ],
            "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": name}}]}],
        },
    })
}

fn node(name: &str, pool: Option<&str>) -> Value {
    let mut node = json!({"metadata": {"name": name}});
    if let Some(pool) = pool {
        node["metadata"]["annotations"] = json!({ POOL_ANNOTATION: pool });
    }
    node
}

/// An authorizer with the default roles, people with `admin`, `edit` and `view` in `default`, two nodes and a pool, each
/// with a pod.
pub(crate) fn cluster() -> Authorizer {
    let objects = Objects::default();
    let nodes = [
        node("node-1", None),
        node("node-2", None),
        node("node-7", Some("node-7")),
    ];
    let pods = [pod("one", "node-1"), pod("two", "node-2"), pod("seven", "node-7")];
    for node in &nodes {
        objects.put("", "nodes", node);
    }
    for pod in &pods {
        objects.put("", "pods", pod);
        let name = &pod["metadata"]["name"];
        let volume =
            json!({"metadata": {"name": name}, "spec": {"claimRef": {"namespace": "default", "name": name}}});
        objects.put("", "persistentvolumes", &volume);
    }
    let authorizer = Authorizer::new(vec![Mode::Node, Mode::Rbac], Box::new(objects));
    let tell = |kind, namespace: &str, object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        let node = object["spec"]["nodeName"].as_str().unwrap_or_default();
        authorizer.observe(
            kind,
            (namespace, name),
            node,
            object.to_string().as_bytes(),
            false,
        )
    };
    for default in defaults::all() {
        tell(Observed::Rbac(default.kind), default.namespace, &default.object);
    }
    for role in ["admin", "edit", "view"] {
        let binding = json!({
            "metadata": {"name": role}, "subjects": [{"kind": "User", "name": role}],
            "roleRef": {"kind": "ClusterRole", "name": role},
        });
        tell(
            Observed::Rbac(crate::rbac::Kind::RoleBinding),
            "default",
            &binding,
        );
    }
    for node in &nodes {
        tell(Observed::Nodes, "", node);
    }
    for pod in &pods {
        tell(Observed::Pods, "default", pod);
    }
    authorizer
}

#[test]
fn requests_are_taken_apart() {
    let check = |request: &str, expected: &str| {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        let info = RequestInfo::of(method, path, query);
        let shown = match &info.resource {
            None => format!("{} {}", info.verb, info.path),
            Some(about) => format!(
                "{} {}/{}/{} ns={} name={} nodes={}",
                info.verb,
                about.group,
                about.resource,
                about.subresource,
                about.namespace,
                about.name,
                about.node_names.join(",")
            ),
        };
        assert_eq!(shown, expected, "{request}");
    };
    check("GET /", "get /");
    check("GET /version", "get /version");
    check("GET /api", "get /api");
    check("GET /api/v1", "get /api/v1");
    check("GET /apis/apps/v1/", "get /apis/apps/v1/");
    check("GET /api/v1/pods", "list /pods/ ns= name= nodes=");
    check("GET //api/v1/pods/", "list /pods/ ns= name= nodes=");
    check("GET /%61pi/v1/pods", "list /pods/ ns= name= nodes=");
    check("HEAD /api/v1/pods?watch=true", "watch /pods/ ns= name= nodes=");
    check("GET /api/v1/pods?watch=0", "list /pods/ ns= name= nodes=");
    check(
        "GET /api/v1/pods?watch&fieldSelector=spec.nodeName%3Dn1,status.phase!%3DFailed",
        "watch /pods/ ns= name= nodes=n1",
    );
    check(
        "GET /api/v1/namespaces/d/secrets?fieldSelector=metadata.name%3D%3Dx",
        "list /secrets/ ns=d name=x nodes=",
    );
    check("GET /api/v1/namespaces/d/pods/p", "get /pods/ ns=d name=p nodes=");
    check(
        "GET /api/v1/namespaces/d/pods/p/log?follow=true",
        "get /pods/log ns=d name=p nodes=",
    );
    check(
        "POST /api/v1/namespaces/d/pods",
        "create /pods/ ns=d name= nodes=",
    );
    check(
        "POST /api/v1/namespaces/d/pods/p/exec",
        "create /pods/exec ns=d name=p nodes=",
    );
    check(
        "PUT /apis/apps/v1/namespaces/d/deployments/x/scale",
        "update apps/deployments/scale ns=d name=x nodes=",
    );
    check(
        "PATCH /api/v1/nodes/n/status",
        "patch /nodes/status ns= name=n nodes=",
    );
    check(
        "DELETE /api/v1/namespaces/d/pods",
        "deletecollection /pods/ ns=d name= nodes=",
    );
    check(
        "DELETE /api/v1/namespaces/d",
        "delete /namespaces/ ns=d name=d nodes=",
    );
    check(
        "PUT /api/v1/namespaces/d/finalize",
        "update /namespaces/finalize ns=d name=d nodes=",
    );
    check("GET /api/v1/namespaces", "list /namespaces/ ns= name= nodes=");
    check(
        "GET /api/v1/namespaces/status",
        "get /namespaces/ ns=status name=status nodes=",
    );
    check(
        "GET /api/v1/namespaces/a%2Fb/pods",
        "list /pods/ ns=a/b name= nodes=",
    );
    check("GET /api/v1/%zz", "get /api/v1/%zz");
}

#[test]
fn a_refusal_says_what_upstream_says() {
    let check = |asked: Attributes<'_>, expected: &str| {
        let error = cluster().require(&asked).unwrap_err();
        assert_eq!((error.code(), error.message()), (403, expected));
    };
    let user = Peer::new("x", &["system:authenticated"]);
    let pods = ResourceAttributes {
        resource: "pods",
        namespace: "default",
        ..ResourceAttributes::default()
    };
    check(
        Attributes::resource(&user, "list", pods),
        r#"pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default""#,
    );
    let scale = ResourceAttributes {
        group: "apps",
        resource: "deployments",
        subresource: "scale",
        name: "web",
        ..ResourceAttributes::default()
    };
    check(
        Attributes::resource(&user, "get", scale),
        r#"deployments.apps "web" is forbidden: User "x" cannot get resource "deployments/scale" in API group "apps" at the cluster scope"#,
    );
    check(
        Attributes::path(&user, "get", "/metrics"),
        r#"forbidden: User "x" cannot get path "/metrics""#,
    );
    let node = Peer::new("system:node:node-1", &["system:nodes"]);
    let secret = ResourceAttributes {
        resource: "secrets",
        name: "two",
        ..pods
    };
    check(
        Attributes::resource(&node, "get", secret),
        r#"secrets "two" is forbidden: User "system:node:node-1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'node-1' and this object"#,
    );
    let stranger = cluster().require(&Attributes::resource(&Peer::anonymous(), "list", pods));
    assert_eq!(stranger.unwrap_err().code(), 401);
}

#[test]
fn impersonation_takes_leave_for_every_part() {
    let authorizer = cluster();
    let tell = |kind: crate::rbac::Kind, name: &str, object: &Value| {
        let json = object.to_string();
        authorizer.observe(Observed::Rbac(kind), ("", name), "", json.as_bytes(), false)
    };
    let role = json!({"rules": [
        {"apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["groups"], "resourceNames": ["devs"], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"], "verbs": ["impersonate"]},
    ]});
    tell(crate::rbac::Kind::ClusterRole, "actor", &role);
    let binding = json!({
        "subjects": [{"kind": "User", "name": "bob"}], "roleRef": {"kind": "ClusterRole", "name": "actor"},
    });
    tell(crate::rbac::Kind::ClusterRoleBinding, "actor", &binding);
    let act = |caller: &Peer, headers: &[(&str, &str)]| {
        let wanted = Impersonation::of(headers.iter().copied()).unwrap().unwrap();
        wanted.take(caller, &authorizer)
    };
    let bob = Peer::new("bob", &["system:authenticated"]);
    let jane = act(
        &bob,
        &[("impersonate-user", "jane"), ("impersonate-group", "devs")],
    )
    .unwrap();
    assert_eq!(jane, Peer::new("jane", &["devs", "system:authenticated"]));
    let robot = act(&bob, &[("impersonate-user", "system:serviceaccount:d:robot")]).unwrap();
    assert_eq!(
        robot.groups[..2],
        ["system:serviceaccounts", "system:serviceaccounts:d"]
    );
    let scoped = act(
        &bob,
        &[("impersonate-user", "jane"), ("impersonate-extra-scopes", "all")],
    )
    .unwrap();
    assert_eq!(scoped.extra["scopes"], ["all"]);
    let refused = act(&bob, &[("impersonate-user", "root")]).unwrap_err();
    assert_eq!(
        refused.message(),
        r#"users "root" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope"#
    );
    act(
        &bob,
        &[
            ("impersonate-user", "jane"),
            ("impersonate-group", "system:masters"),
        ],
    )
    .unwrap_err();
    act(&bob, &[("impersonate-user", "jane"), ("impersonate-uid", "7")]).unwrap_err();
    act(
        &bob,
        &[("impersonate-user", "jane"), ("impersonate-extra-other", "x")],
    )
    .unwrap_err();
    let root = Peer::new("root", &["system:masters"]);
    act(
        &root,
        &[
            ("impersonate-user", "anyone"),
            ("impersonate-group", "system:masters"),
        ],
    )
    .unwrap();
    assert!(Impersonation::of([("impersonate-group", "devs")]).is_err());
    assert_eq!(Impersonation::of([("accept", "x")]).unwrap(), None);
}
