//! The default objects are well formed, and those that exist are completed and not overruled.

use serde_json::json;

use super::*;

fn of(name: &str, kind: Kind) -> DefaultObject {
    all()
        .into_iter()
        .find(|default| default.name == name && default.kind == kind)
        .unwrap()
}

#[test]
fn every_binding_binds_a_role_that_there_is() {
    let all = all();
    let mut seen = BTreeSet::new();
    for default in &all {
        assert!(
            seen.insert((default.kind.plural(), default.namespace, &default.name)),
            "{} is there twice",
            default.name
        );
        let role = &default.object["roleRef"];
        if role.is_null() {
            continue;
        }
        let is_bound = |other: &&DefaultObject| {
            role["name"] == *other.name
                && match other.kind {
                    Kind::ClusterRole => role["kind"] == "ClusterRole",
                    Kind::Role => role["kind"] == "Role" && other.namespace == default.namespace,
                    _ => false,
                }
        };
        assert!(
            all.iter().any(|other| is_bound(&other)),
            "{} binds nothing",
            default.name
        );
    }
}

#[test]
fn admin_contains_edit_and_edit_contains_view() {
    let rules = |name: &str| -> Vec<Rule> {
        serde_json::from_value(of(name, Kind::ClusterRole).object["rules"].clone()).unwrap()
    };
    let (admin, edit, view) = (rules("admin"), rules("edit"), rules("view"));
    let lacks = |held: &[Rule], wanted: &[Rule]| {
        let held: Vec<&Rule> = held.iter().collect();
        crate::rbac::uncovered(&held, wanted)
    };
    assert!(!view.is_empty());
    assert_eq!(lacks(&edit, &view), []);
    assert_eq!(lacks(&admin, &edit), []);
    assert!(!lacks(&view, &edit).is_empty());
    assert!(!lacks(&edit, &admin).is_empty());
}

#[test]
fn what_a_person_changed_is_completed_and_kept() {
    let wanted = of("system:basic-user", Kind::ClusterRole);
    assert_eq!(reconcile(&wanted, &wanted.object), None);
    let mut changed = wanted.object.clone();
    let own = json!({"apiGroups": ["x"], "resources": ["y"], "verbs": ["get"]});
    changed["rules"] = json!([own]);
    let completed = reconcile(&wanted, &changed).unwrap();
    assert_eq!(completed["rules"][0], own);
    assert_eq!(reconcile(&wanted, &completed), None);
    changed["metadata"]["annotations"][AUTO_UPDATE] = json!("false");
    assert_eq!(reconcile(&wanted, &changed), None);

    let wanted = of("system:discovery", Kind::ClusterRoleBinding);
    let mut changed = wanted.object.clone();
    changed["subjects"] = json!(null);
    let completed = reconcile(&wanted, &changed).unwrap();
    assert_eq!(completed["subjects"], wanted.object["subjects"]);
}
