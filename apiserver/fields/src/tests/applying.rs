//! Server-side apply.

use super::*;

fn config(labels: Value, replicas: Option<i64>) -> Value {
    let mut config = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": labels},
    });
    if let Some(replicas) = replicas {
        config["spec"] = json!({"replicas": replicas});
    }
    config
}

fn with_containers(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn the_first_apply_owns_what_it_says() {
    let mut object = Object::new();
    object.apply("kubectl", config(json!({"app": "web"}), Some(2)));
    assert_eq!(object.value, config(json!({"app": "web"}), Some(2)));
    assert_eq!(
        owned(&object.managers, "kubectl"),
        json!({"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:replicas": {}}})
    );
    let entries = object.managers.encode();
    let entry = serde_json::to_value(&entries[0]).unwrap();
    assert_eq!(
        entry,
        json!({
            "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "manager": "kubectl", "operation": "Apply",
            "time": "1970-01-01T00:00:01Z",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:replicas": {}}},
        })
    );
    assert_eq!(Managers::decode(&entries).unwrap(), object.managers);
}

#[test]
fn what_is_no_longer_applied_goes_unless_somebody_owns_it() {
    let mut object = Object::new();
    object.apply("one", config(json!({"a": "1", "b": "1", "c": "1"}), Some(2)));
    object.apply("other", json!({"metadata": {"labels": {"b": "1"}}}));
    let mut new = object.value.clone();
    new["metadata"]["labels"]["d"] = json!("1");
    object.update("editor", new);
    object.apply("one", config(json!({"a": "1"}), None));
    assert_eq!(
        object.value["metadata"]["labels"],
        json!({"a": "1", "b": "1", "d": "1"})
    );
    assert!(object.value.get("spec").is_none());
    object.apply("one", json!({"metadata": {"name": "web"}}));
    assert_eq!(object.value["metadata"]["labels"], json!({"b": "1", "d": "1"}));
    // Whoever applies nothing manages nothing.
    assert_eq!(names(&object.managers), ["editor", "other"]);
}

#[test]
fn items_of_lists_go_alone() {
    let mut object = Object::new();
    let web = json!({"name": "web", "image": "a"});
    let log = json!({"name": "log", "image": "b"});
    object.apply("one", with_containers(json!([web, log])));
    object.apply("side", with_containers(json!([{"name": "mesh", "image": "m"}])));
    assert_eq!(
        object.value,
        with_containers(json!([web, log, {"name": "mesh", "image": "m"}]))
    );
    object.apply("one", with_containers(json!([{"name": "log"}])));
    assert_eq!(
        object.value,
        with_containers(json!([{"name": "log"}, {"name": "mesh", "image": "m"}]))
    );
    object.apply("one", json!({}));
    assert_eq!(
        object.value,
        with_containers(json!([{"name": "mesh", "image": "m"}]))
    );
}

#[test]
fn an_item_goes_with_all_that_is_in_it_unless_another_owns_the_item() {
    let mut object = Object::new();
    object.apply("one", with_containers(json!([{"name": "c", "image": "a"}])));
    let new = with_containers(json!([{"name": "c", "image": "a", "env": [{"name": "X", "value": "1"}]}]));
    object.update("editor", new);
    let mut shared = object.clone();
    object.apply("one", json!({"metadata": {"name": "web"}}));
    assert_eq!(object.value, json!({"metadata": {"name": "web"}}));
    assert!(object.managers.is_empty());
    let mut kept = shared.value.clone();
    shared.apply("other", with_containers(json!([{"name": "c"}])));
    shared.apply("one", json!({}));
    kept["spec"]["template"]["spec"]["containers"][0]
        .as_object_mut()
        .unwrap()
        .remove("image");
    assert_eq!(shared.value, kept);
    assert_eq!(names(&shared.managers), ["editor", "other"]);
}

#[test]
fn a_default_key_is_the_same_item() {
    let mut object = Object::new();
    let ports = |ports: Value| with_containers(json!([{"name": "c", "ports": ports}]));
    object.apply("one", ports(json!([{"containerPort": 80}])));
    // The server's defaults made the protocol explicit.
    object.value = ports(json!([{"containerPort": 80, "protocol": "TCP"}]));
    object.apply(
        "one",
        ports(json!([{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}])),
    );
    assert_eq!(
        object.value,
        ports(json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]))
    );
    object.apply("one", ports(json!([{"containerPort": 80, "protocol": "UDP"}])));
    assert_eq!(
        object.value,
        ports(json!([{"containerPort": 80, "protocol": "UDP"}]))
    );
}

#[test]
fn conflicts_name_the_owner_and_the_fields() {
    let mut object = Object::new();
    object.value = config(json!({"app": "web"}), Some(2));
    object.managers = Managers::default().update(
        &json!({}),
        &object.value,
        view(),
        &NOTHING,
        writer("kubectl-client-side-apply", 1),
    );
    assert_eq!(
        object.refused("kubectl", config(json!({"app": "web"}), Some(3))),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas"
    );
    object.apply("hpa", json!({"metadata": {"labels": {"hpa": "1"}}}));
    assert_eq!(
        object.refused("kubectl", config(json!({"app": "x", "hpa": "2"}), Some(3))),
        "Apply failed with 3 conflicts: conflicts with \"hpa\":\n- .metadata.labels.hpa\nconflicts with \
         \"kubectl-client-side-apply\" using apps/v1:\n- .metadata.labels.app\n- .spec.replicas"
    );
    let error = object.try_apply("kubectl", false, &config(json!({"hpa": "2"}), None));
    let Err(ApplyError::Conflicts(conflicts)) = error else {
        panic!("no conflict");
    };
    let error = conflicts.into_api_error();
    assert_eq!(error.code(), 409);
    let cause = &error.details().unwrap().causes[0];
    assert_eq!(
        [&cause.reason, &cause.message, &cause.field],
        [
            "FieldManagerConflict",
            "conflict with \"hpa\"",
            ".metadata.labels.hpa"
        ]
    );
}

#[test]
fn force_takes_and_equal_values_are_shared() {
    let mut object = Object::new();
    object.apply("one", config(json!({"a": "1"}), Some(2)));
    // The same value is no conflict: both own it.
    object.apply("other", json!({"spec": {"replicas": 2}}));
    assert_eq!(
        owned(&object.managers, "other"),
        json!({"f:spec": {"f:replicas": {}}})
    );
    assert_eq!(
        object.refused("other", json!({"spec": {"replicas": 3}})),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas"
    );
    object
        .try_apply("other", true, &json!({"spec": {"replicas": 3}}))
        .unwrap();
    assert_eq!(object.value["spec"]["replicas"], 3);
    assert_eq!(
        owned(&object.managers, "one"),
        json!({"f:metadata": {"f:labels": {"f:a": {}}}})
    );
    // What one lost, its next configuration does not remove.
    object.apply("one", config(json!({"a": "1"}), None));
    assert_eq!(object.value["spec"]["replicas"], 3);
}

#[test]
fn what_was_there_before_the_first_apply_has_an_owner() {
    let mut object = Object::new();
    object.value = config(json!({"app": "web"}), Some(2));
    object.apply("kubectl", config(json!({"app": "web"}), None));
    assert_eq!(names(&object.managers), ["before-first-apply", "kubectl"]);
    assert_eq!(
        owned(&object.managers, "before-first-apply"),
        json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:replicas": {}}})
    );
    assert_eq!(
        object.refused("kubectl", config(json!({"app": "web"}), Some(3))),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn nothing_new_keeps_the_time() {
    let mut object = Object::new();
    object.apply("one", config(json!({"a": "1"}), Some(2)));
    let before = object.clone();
    object.apply("one", config(json!({"a": "1"}), Some(2)));
    assert_eq!(
        (&object.value, &object.managers),
        (&before.value, &before.managers)
    );
    object.apply("one", config(json!({"a": "2"}), Some(2)));
    assert_ne!(object.managers, before.managers);
}

#[test]
fn ignored_fields_are_nobodys() {
    let status = FieldSet::of_fields([&["status"][..]]);
    let config = json!({"spec": {"replicas": 1}, "status": {"replicas": 1}});
    let applied = Applied {
        config: &config,
        force: false,
        ignored: &status,
    };
    let (_, managers) = Managers::default()
        .apply(&json!({}), &blank(view()), applied, view(), writer("one", 1))
        .unwrap();
    assert_eq!(owned(&managers, "one"), json!({"f:spec": {"f:replicas": {}}}));
}

#[test]
fn kubectl_may_take_what_its_client_side_apply_set() {
    let remembered = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 2},
    });
    let mut live = remembered.clone();
    live["metadata"]["annotations"] = json!({
        "kubectl.kubernetes.io/last-applied-configuration": format!("{remembered}\n"),
    });
    let mut object = Object::new();
    object.value = live;
    object.managers = Managers::default().update(
        &json!({}),
        &object.value,
        view(),
        &NOTHING,
        writer("kubectl-client-side-apply", 1),
    );
    let wanted = config(json!({"app": "other"}), Some(2));
    assert!(object.try_apply("controller", false, &wanted).is_err());
    let mut taken = object.clone();
    taken.apply("kubectl", wanted.clone());
    assert_eq!(taken.value["metadata"]["labels"]["app"], "other");
    let annotation =
        &taken.value["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    assert_eq!(annotation, &json!(format!("{wanted}\n")));
    // What somebody changed since is theirs.
    let mut scaled = object.value.clone();
    scaled["spec"]["replicas"] = json!(5);
    object.update("scaler", scaled);
    assert_eq!(
        object.refused("kubectl", config(json!({"app": "other"}), Some(2))),
        "Apply failed with 1 conflict: conflict with \"scaler\" using apps/v1: .spec.replicas"
    );
}
