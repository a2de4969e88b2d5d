//! The documents: every kind is described, and clients find in them what they look for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use coracle_api::kinds::{DEPLOYMENT, POD, RESOURCES, SERVICE};

use super::*;

fn parse(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}

static DOCUMENTS: LazyLock<BTreeMap<&str, Value>> = LazyLock::new(|| {
    let mut groups: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
    for resource in RESOURCES {
        let kinds = groups.entry(resource.api_version).or_default();
        kinds.push(Kind::from(*resource));
    }
    let document = |kinds: &[Kind]| parse(&v3(&kinds[0].group, &kinds[0].version, kinds, "v1.33.0"));
    groups
        .iter()
        .map(|(api_version, kinds)| (*api_version, document(kinds)))
        .collect()
});

fn document(resource: &Resource) -> &'static Value {
    &DOCUMENTS[resource.api_version]
}

fn check(document: &Value, pointer: &str, expected: Value) {
    assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}");
}

#[test]
fn fields_say_what_they_are_and_how_they_merge() {
    let apps = document(DEPLOYMENT);
    let spec = "/components/schemas/io.k8s.api.apps.v1.DeploymentSpec/properties";
    check(
        apps,
        &format!("{spec}/strategy/x-kubernetes-patch-strategy"),
        json!("retainKeys"),
    );
    check(
        apps,
        &format!("{spec}/strategy/allOf"),
        json!([{ "$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }]),
    );
    assert!(apps.pointer(&format!("{spec}/strategy/description")).is_some());
    let pod = "/components/schemas/io.k8s.api.core.v1.PodSpec/properties";
    check(
        apps,
        &format!("{pod}/containers/x-kubernetes-list-type"),
        json!("map"),
    );
    check(
        apps,
        &format!("{pod}/containers/x-kubernetes-list-map-keys"),
        json!(["name"]),
    );
    check(
        apps,
        &format!("{pod}/containers/x-kubernetes-patch-merge-key"),
        json!("name"),
    );
    check(
        apps,
        &format!("{pod}/volumes/x-kubernetes-patch-strategy"),
        json!("merge,retainKeys"),
    );
    check(
        apps,
        "/components/schemas/io.k8s.api.apps.v1.Deployment/x-kubernetes-group-version-kind",
        json!([{ "group": "apps", "kind": "Deployment", "version": "v1" }]),
    );
    check(
        apps,
        "/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector/x-kubernetes-map-type",
        json!("atomic"),
    );
}

#[test]
fn every_kind_has_paths_and_can_be_patched_with_field_validation() {
    for resource in RESOURCES.iter().filter(|resource| resource.has_verb("patch")) {
        let document = document(resource);
        let found = document["paths"].as_object().unwrap().values().any(|path| {
            let patch = &path["patch"];
            patch["x-kubernetes-group-version-kind"]["kind"] == resource.kind
                && patch["parameters"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| one["name"] == "fieldValidation")
        });
        assert!(found, "{resource}");
    }
    let apps = document(DEPLOYMENT);
    let item = "/paths/~1apis~1apps~1v1~1namespaces~1{namespace}~1deployments";
    check(
        apps,
        &format!("{item}/post/operationId"),
        json!("createAppsV1NamespacedDeployment"),
    );
    check(
        apps,
        &format!("{item}/delete/operationId"),
        json!("deleteAppsV1CollectionNamespacedDeployment"),
    );
    check(
        apps,
        "/paths/~1apis~1apps~1v1~1deployments/get/operationId",
        json!("listAppsV1DeploymentForAllNamespaces"),
    );
    let scale = format!("{item}~1{{name}}~1scale/patch/x-kubernetes-group-version-kind");
    check(
        apps,
        &scale,
        json!({ "group": "autoscaling", "kind": "Scale", "version": "v1" }),
    );
    let core = document(POD);
    check(
        core,
        "/paths/~1api~1v1~1nodes~1{name}/get/operationId",
        json!("readCoreV1Node"),
    );
}

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in DOCUMENTS.values() {
        let mut found = Vec::new();
        references(document, &mut found);
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(
                document["components"]["schemas"].get(name).is_some(),
                "{reference}"
            );
        }
    }
}

#[test]
fn custom_kinds_are_described_alike() {
    let kind = Kind {
        group: "stable.example.com".into(),
        version: "v1".into(),
        kind: "CronTab".into(),
        plural: "crontabs".into(),
        namespaced: true,
        verbs: ["create", "get", "list", "patch"].map(str::to_owned).to_vec(),
        parts: Vec::new(),
        schema: Some(json!({
            "type": "object",
            "properties": { "spec": { "type": "object", "properties": { "cron": { "type": "string" } } } },
        })),
    };
    let document = parse(&v3("stable.example.com", "v1", &[kind], "v1.33.0"));
    let schema = "/components/schemas/com.example.stable.v1.CronTab";
    check(
        &document,
        &format!("{schema}/properties/spec/properties/cron/type"),
        json!("string"),
    );
    check(
        &document,
        &format!("{schema}/x-kubernetes-group-version-kind/0/kind"),
        json!("CronTab"),
    );
    let patch = "/paths/~1apis~1stable.example.com~1v1~1namespaces~1{namespace}~1crontabs~1{name}/patch";
    check(
        &document,
        &format!("{patch}/operationId"),
        json!("patchStableExampleComV1NamespacedCronTab"),
    );
    let formats = document.pointer(&format!("{patch}/requestBody/content")).unwrap();
    assert!(formats.get("application/strategic-merge-patch+json").is_none());
}

#[test]
fn version_2_has_the_same_in_its_own_form() {
    let groups = [DEPLOYMENT, SERVICE].map(|resource| {
        let group = (resource.group.to_owned(), resource.version.to_owned());
        (group.0, group.1, vec![Kind::from(resource)])
    });
    let document = parse(&v2(&groups, "v1.33.0"));
    check(&document, "/swagger", json!("2.0"));
    let spec = "/definitions/io.k8s.api.apps.v1.DeploymentSpec/properties";
    check(
        &document,
        &format!("{spec}/strategy/$ref"),
        json!("#/definitions/io.k8s.api.apps.v1.DeploymentStrategy"),
    );
    check(
        &document,
        "/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString/type",
        json!("string"),
    );
    let create = &document["paths"]["/api/v1/namespaces/{namespace}/services"]["post"];
    let body = create["parameters"].as_array().unwrap().last().unwrap();
    assert_eq!(body["in"], "body");
    assert_eq!(body["schema"]["$ref"], "#/definitions/io.k8s.api.core.v1.Service");
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let name = reference.strip_prefix("#/definitions/").unwrap();
        assert!(document["definitions"].get(name).is_some(), "{reference}");
    }
}
