//! Tests of `kinds`.

use super::*;

#[test]
fn rows_are_consistent() {
    for (place, resource) in RESOURCES.iter().enumerate() {
        assert_eq!(resource.place, place, "{resource:?}");
        let api_version = match resource.group {
            "" => resource.version.to_owned(),
            group => format!("{group}/{}", resource.version),
        };
        assert_eq!(resource.api_version, api_version, "{resource:?}");
        let storage = resource.storage();
        assert!(storage.is_storage(), "{resource:?}");
        assert_eq!(resource.store_prefix, storage.store_prefix, "{resource:?}");
        assert_eq!(resource.namespaced, storage.namespaced, "{resource:?}");
        let prefix = match storage.group {
            "" => format!("/{}/", storage.plural),
            group => format!("/{group}/{}/", storage.plural),
        };
        assert_eq!(resource.store_prefix, prefix, "{resource:?}");
        assert!(
            resource
                .subresources
                .is_sorted_by_key(|subresource| subresource.name),
            "{resource:?}"
        );
        assert!(
            resource.selectable_fields.contains(&"metadata.name"),
            "{resource:?}"
        );
        let twins = RESOURCES.iter().filter(|other| *other == resource).count();
        assert_eq!(twins, 1, "{resource:?}");
        assert_eq!(of_key(&resource.store_key("ns", "x")), Some(storage));
        assert_eq!(of_object(resource.api_version, resource.kind), Some(*resource));
        assert_eq!(
            by_path(resource.group, resource.version, resource.plural),
            Some(*resource)
        );
    }
}

#[test]
fn every_way_to_name_a_resource_finds_it() {
    for name in [
        "Deployment",
        "deployment",
        "deployments",
        "deploy",
        "deployments.apps",
        "deployments.v1.apps",
        "deploy.apps",
        "apps/v1/Deployment",
        "apps/v1/deployments",
    ] {
        assert_eq!(find("", name), Some(DEPLOYMENT), "{name}");
        assert_eq!(find("apps/v1", name), Some(DEPLOYMENT), "{name}");
        assert_eq!(find("v1", name), None, "{name}");
    }
    assert_eq!(find("v1", "po"), Some(POD));
    assert_eq!(find("", "v1/Pod"), Some(POD));
    assert_eq!(find("", "pods."), Some(POD));
    for name in ["", "podz", "pods.apps", "apps/v2/Deployment", "/", "."] {
        assert_eq!(find("", name), None, "{name}");
    }
}

#[test]
fn qualified_names_are_those_of_error_messages() {
    assert_eq!(DEPLOYMENT.qualified(), "deployments.apps");
    assert_eq!(POD.to_string(), "pods");
    assert_eq!(NAMESPACE.store_key("", "kube-system"), "/namespaces//kube-system");
    assert_eq!(LEASE.list_kind(), "LeaseList");
}

#[test]
fn no_store_prefix_begins_with_another() {
    for one in RESOURCES {
        for other in RESOURCES.iter().filter(|other| other.storage() != one.storage()) {
            assert!(
                !other.store_prefix.starts_with(one.store_prefix),
                "{one:?} {other:?}"
            );
        }
    }
    for key in ["", "/", "/pod", "/pods", "/podz/a/b", "/zzz/a/b"] {
        assert_eq!(of_key(key), None, "{key}");
    }
}

#[test]
fn versions_are_ordered_as_discovery_lists_them() {
    let mut versions = [
        "foo10",
        "v1alpha1",
        "v2",
        "v12alpha1",
        "v10",
        "foo1",
        "v3beta1",
        "v11beta2",
        "v1",
    ];
    versions.sort_by(|one, other| compare_versions(one, other));
    let expected = [
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v3beta1",
        "v12alpha1",
        "v1alpha1",
        "foo1",
        "foo10",
    ];
    assert_eq!(versions, expected);
}
