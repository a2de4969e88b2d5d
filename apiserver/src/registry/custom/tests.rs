//! A definition's life in the registry, from its first write to its last object.

mod conversion;

use coracle_api::{ApiError, Resource, kinds};
use serde_json::{Value, json};

use crate::registry::{
    Applying, Context, DeleteOptions, EventKind, FieldValidation, ListRequest, PatchType, Preconditions,
    Registry, Start, Target, WatchRequest,
};
use crate::testing::{Bench, json_of, target};

pub(crate) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
                    "spec": {
                        "type": "object", "required": ["size"],
                        "properties": {
                            "size": {"type": "integer", "minimum": 1},
                            "color": {"type": "string", "default": "red"},
                            "replicas": {"type": "integer"},
                        },
                        "x-kubernetes-validations": [
                            {"rule": "self.size >= oldSelf.size", "message": "size must not shrink"},
                        ],
                    },
                    "status": {"type": "object", "properties": {
                        "replicas": {"type": "integer"}, "selector": {"type": "string"},
                    }},
                }}},
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "selectableFields": [{"jsonPath": ".spec.color"}],
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
            }],
        },
    })
}

fn widget(name: &str, size: i64) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name},
        "spec": {"size": size},
    })
}

fn row(registry: &Registry) -> &'static Resource {
    registry
        .catalog()
        .now()
        .by_path("example.com", "v1", "widgets")
        .unwrap()
}

async fn served() -> (Bench, &'static Resource) {
    let bench = Bench::new().await;
    bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition())
        .await
        .unwrap();
    let row = row(&bench.registry);
    (bench, row)
}

fn message(error: ApiError) -> String {
    error.message().to_owned()
}

#[tokio::test]
async fn a_definition_is_served_when_its_write_is_answered() {
    let bench = Bench::new().await;
    let written = bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition())
        .await
        .unwrap();
    let object = json_of(&written.entry);
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let state: Vec<_> = conditions
        .iter()
        .map(|own| (own["type"].as_str().unwrap(), own["status"].as_str().unwrap()))
        .collect();
    assert_eq!(state, [("NamesAccepted", "True"), ("Established", "True")]);
    assert_eq!(object["status"]["acceptedNames"]["listKind"], "WidgetList");
    assert_eq!(object["status"]["storedVersions"], json!(["v1"]));
    let catalog = bench.registry.catalog().now();
    for name in [
        "wd",
        "widget",
        "Widget",
        "widgets.example.com",
        "example.com/v1/Widget",
    ] {
        assert!(catalog.find("", name).is_some(), "{name}");
    }
    assert!(catalog.is_version("example.com", "v1") && catalog.is_group("example.com"));
}

#[tokio::test]
async fn objects_are_completed_judged_and_watched() {
    let (bench, row) = served().await;
    let from = Start::After(bench.registry.revision());
    let mut watch = bench.registry.watch(WatchRequest::all(row, from)).unwrap();
    let created = json_of(&bench.create(row, widget("a", 2)).await.unwrap().entry);
    assert_eq!(created["spec"], json!({"size": 2, "color": "red"}));
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(
        message(bench.create(row, widget("b", 0)).await.unwrap_err()),
        "Widget.example.com \"b\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than \
         or equal to 1"
    );
    let shrunk = bench
        .patch(target(row, "a"), "", json!({"spec": {"size": 1}}))
        .await
        .unwrap_err();
    assert_eq!(
        message(shrunk),
        "Widget.example.com \"a\" is invalid: spec: Invalid value: \"object\": size must not shrink"
    );
    let grown = json_of(
        &bench
            .patch(target(row, "a"), "", json!({"spec": {"size": 3}}))
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(grown["metadata"]["generation"], 2);
    bench
        .delete(target(row, "a"), DeleteOptions::default())
        .await
        .unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        let events = watch.next().await.unwrap().unwrap();
        told.extend(
            events
                .into_iter()
                .map(|event| event.kind)
                .filter(|kind| *kind != EventKind::Bookmark),
        );
    }
    assert_eq!(told, [EventKind::Added, EventKind::Modified, EventKind::Deleted]);
}

#[tokio::test]
async fn unknown_fields_are_dropped_told_or_refused() {
    let (bench, row) = served().await;
    let mut object = widget("a", 1);
    object["spec"]["colour"] = json!("blue");
    let with = |field_validation| {
        let mut ctx = Context::internal();
        ctx.options.field_validation = field_validation;
        ctx
    };
    let strict = bench
        .create_with(&with(FieldValidation::Strict), row, object.clone())
        .await
        .unwrap_err();
    assert_eq!(
        message(strict),
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.colour\""
    );
    let written = bench
        .create_with(&with(FieldValidation::Warn), row, object)
        .await
        .unwrap();
    assert_eq!(written.warnings, ["unknown field \"spec.colour\""]);
    assert_eq!(
        json_of(&written.entry)["spec"],
        json!({"size": 1, "color": "red"})
    );
}

#[tokio::test]
async fn status_and_scale_are_written_apart() {
    let (bench, row) = served().await;
    let mut object = widget("a", 1);
    object["status"] = json!({"replicas": 7});
    let created = json_of(&bench.create(row, object).await.unwrap().entry);
    assert!(created.get("status").is_none());
    let status = json!({"spec": {"size": 9}, "status": {"replicas": 2, "selector": "a=b"}});
    let after = json_of(
        &bench
            .patch(target(row, "a"), "status", status)
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(
        (&after["spec"]["size"], &after["status"]["replicas"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(after["metadata"]["generation"], 1);
    let scaled = bench
        .patch(target(row, "a"), "scale", json!({"spec": {"replicas": 4}}))
        .await
        .unwrap();
    let scale = json_of(&scaled.entry);
    assert_eq!(
        (
            &scale["kind"],
            &scale["spec"]["replicas"],
            &scale["status"]["selector"]
        ),
        (&json!("Scale"), &json!(4), &json!("a=b"))
    );
    let object = bench.get(row, "a").await.unwrap();
    assert_eq!(
        (&object["spec"]["replicas"], &object["metadata"]["generation"]),
        (&json!(4), &json!(2))
    );
}

#[tokio::test]
async fn declared_fields_can_be_selected() {
    let (bench, row) = served().await;
    for (name, color) in [("a", "red"), ("b", "blue")] {
        let mut object = widget(name, 1);
        object["spec"]["color"] = json!(color);
        bench.create(row, object).await.unwrap();
    }
    let request = |selector: &str| ListRequest {
        fields: coracle_api::FieldSelector::parse(selector).unwrap(),
        ..ListRequest::all(row)
    };
    let found = bench.registry.list(&request("spec.color=blue")).await.unwrap();
    assert_eq!(found.entries.len(), 1);
    assert!(bench.registry.list(&request("spec.size=1")).await.is_err());
}

#[tokio::test]
async fn a_restart_finds_definitions_and_objects() {
    let (bench, row) = served().await;
    bench.create(row, widget("a", 2)).await.unwrap();
    let again = bench.reopened();
    let row = self::row(&again);
    let entry = again.get(&target(row, "a"), "", None).await.unwrap();
    assert_eq!(json_of(&entry)["spec"]["size"], 2);
    assert_eq!(again.count(row), 1);
}

#[tokio::test]
async fn versions_share_their_objects_also_when_another_is_stored() {
    let (bench, row) = served().await;
    bench.create(row, widget("a", 2)).await.unwrap();
    let mut two = definition();
    let mut next = two["spec"]["versions"][0].clone();
    next["name"] = json!("v2");
    next["storage"] = json!(true);
    two["spec"]["versions"][0]["storage"] = json!(false);
    two["spec"]["versions"].as_array_mut().unwrap().push(next);
    let name = || target(kinds::CUSTOM_RESOURCE_DEFINITION, "widgets.example.com");
    let patch = json!({"spec": {"versions": two["spec"]["versions"]}});
    let changed = json_of(&bench.patch(name(), "", patch).await.unwrap().entry);
    assert_eq!(changed["status"]["storedVersions"], json!(["v1", "v2"]));
    let catalog = bench.registry.catalog().now();
    let first = catalog.by_path("example.com", "v1", "widgets").unwrap();
    let second = catalog.by_path("example.com", "v2", "widgets").unwrap();
    drop(catalog);
    for row in [first, second] {
        let object = bench.get(row, "a").await.unwrap();
        assert_eq!(object["apiVersion"], row.api_version);
        let list = bench.registry.list(&ListRequest::all(row)).await.unwrap();
        assert_eq!(json_of(&list.entries[0])["apiVersion"], row.api_version);
    }
    let mut object = widget("b", 1);
    object["apiVersion"] = json!("example.com/v2");
    bench.create(second, object).await.unwrap();
    assert_eq!(
        bench.get(first, "b").await.unwrap()["apiVersion"],
        "example.com/v1"
    );
    bench
        .patch(target(first, "a"), "", json!({"spec": {"size": 5}}))
        .await
        .unwrap();
    assert_eq!(bench.get(second, "a").await.unwrap()["spec"]["size"], 5);
    assert_eq!(bench.registry.count(first), 2);
}

#[tokio::test]
async fn a_changed_schema_takes_effect_at_once() {
    let (bench, row) = served().await;
    let name = target(kinds::CUSTOM_RESOURCE_DEFINITION, "widgets.example.com");
    let mut changed = definition();
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]
        ["minimum"] = json!(10);
    let patch = json!({"spec": {"versions": changed["spec"]["versions"]}});
    bench.patch(name, "", patch).await.unwrap();
    assert!(bench.create(row, widget("a", 5)).await.is_err());
    bench.create(row, widget("a", 10)).await.unwrap();
    assert!(std::ptr::eq(row, self::row(&bench.registry)));
}

#[tokio::test]
async fn schemas_that_are_wrong_are_refused() {
    let bench = Bench::new().await;
    let mut wrong = definition();
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
        json!([{"rule": "self.sise > 1"}]);
    let error = bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, wrong)
        .await
        .unwrap_err();
    assert_eq!(
        message(error),
        "CustomResourceDefinition.apiextensions.k8s.io \"widgets.example.com\" is invalid: \
         spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \
         \"self.sise > 1\": compilation failed: undefined field 'sise'"
    );
}

#[tokio::test]
async fn names_are_taken_once() {
    let (bench, _) = served().await;
    let mut other = definition();
    other["metadata"]["name"] = json!("gadgets.example.com");
    other["spec"]["names"] =
        json!({"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "shortNames": ["wd"]});
    let written = bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, other)
        .await
        .unwrap();
    let accepted = json_of(&written.entry)["status"]["conditions"][0].clone();
    assert_eq!(
        (&accepted["status"], &accepted["reason"], &accepted["message"]),
        (
            &json!("False"),
            &json!("ShortNamesConflict"),
            &json!("\"wd\" is already in use")
        )
    );
    let gadgets = |bench: &Bench| bench.registry.catalog().now().find("", "gadgets");
    assert!(gadgets(&bench).is_none());
    let name = target(kinds::CUSTOM_RESOURCE_DEFINITION, "widgets.example.com");
    bench.delete(name, DeleteOptions::default()).await.unwrap();
    bench.registry.tend_definitions().await.unwrap();
    bench.registry.tend_definitions().await.unwrap();
    assert!(gadgets(&bench).is_some());
}

#[tokio::test]
async fn a_definition_goes_after_its_objects() {
    let (bench, row) = served().await;
    let mut held = widget("held", 1);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    bench.create(row, held).await.unwrap();
    bench.create(row, widget("free", 1)).await.unwrap();
    let name = || target(kinds::CUSTOM_RESOURCE_DEFINITION, "widgets.example.com");
    bench.delete(name(), DeleteOptions::default()).await.unwrap();
    let refused = bench.create(row, widget("late", 1)).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            405,
            "create not allowed while custom resource definition is terminating"
        )
    );
    assert!(bench.registry.tend_definitions().await.unwrap());
    assert_eq!(bench.registry.count(row), 1);
    bench
        .registry
        .patch(
            &Context::internal(),
            Target::new(row, "default", "held"),
            "",
            PatchType::Merge,
            json!({"metadata": {"finalizers": null}}).to_string().into(),
            Preconditions::default(),
        )
        .await
        .unwrap();
    assert!(!bench.registry.tend_definitions().await.unwrap());
    assert!(
        bench
            .get(kinds::CUSTOM_RESOURCE_DEFINITION, "widgets.example.com")
            .await
            .is_err()
    );
    let served = bench.registry.catalog().now();
    assert!(served.custom().iter().all(|own| own.kind != "Widget"));
    drop(served);
    // And may come again.
    bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition())
        .await
        .unwrap();
    bench
        .create(self::row(&bench.registry), widget("again", 1))
        .await
        .unwrap();
}

#[tokio::test]
async fn manifests_may_hold_a_definition_and_its_objects() {
    let bench = Bench::new().await;
    let manifest = format!("{}\n---\n{}\n", definition(), widget("a", 2));
    let ctx = Context::internal();
    let applied = bench
        .registry
        .apply_manifest(&ctx, &manifest, "", Applying::ClientSide)
        .await
        .unwrap();
    assert!(applied.iter().all(|one| one.outcome.is_ok()), "{applied:?}");
    let manifest = widget("a", 4).to_string();
    let applied = bench
        .registry
        .apply_manifest(&ctx, &manifest, "", Applying::ClientSide)
        .await
        .unwrap();
    assert!(applied[0].outcome.is_ok(), "{applied:?}");
    assert_eq!(
        bench.get(row(&bench.registry), "a").await.unwrap()["spec"]["size"],
        4
    );
}

#[tokio::test]
async fn groups_are_registered_while_they_are_served() {
    let (bench, row) = served().await;
    let name = format!("{}.{}", row.version, row.group);
    let target = Target::new(kinds::API_SERVICE, "", name.as_str());
    bench.registry.tend_api_services().await.unwrap();
    let service = json_of(&bench.registry.get(&target, "", None).await.unwrap());
    assert_eq!(service["status"]["conditions"][0]["reason"], "Local");
    let definition = Target::new(
        kinds::CUSTOM_RESOURCE_DEFINITION,
        "",
        format!("{}.{}", row.plural, row.group),
    );
    bench.delete(definition, DeleteOptions::default()).await.unwrap();
    while bench.registry.tend_definitions().await.unwrap() {}
    bench.registry.tend_api_services().await.unwrap();
    assert!(
        bench
            .registry
            .get(&target, "", None)
            .await
            .unwrap_err()
            .is_not_found()
    );
}
