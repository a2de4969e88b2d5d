//! Tests of `kinds`.

use super::*;

#[test]
fn rows_are_consistent() {
    for resource in RESOURCES {
        let api_version = match resource.group {
            "" => resource.version.to_owned(),
            group => format!("{group}/{}", resource.version),
        };
        assert_eq!(resource.api_version, api_version, "{resource:?}");
        let prefix = match resource.group {
            "" => format!("/{}/", resource.plural),
            group => format!("/{group}/{}/", resource.plural),
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
        assert_eq!(of_key(&resource.store_key("ns", "x")), Some(*resource));
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
