//! Versions that differ in more than their name: a webhook makes one of the other, on every way in and out.

use coracle_api::{Resource, encode, kinds};
use serde_json::{Value, json};

use super::message;
use crate::{
    registry::{
        Context, DeleteOptions, EventKind, ListRequest, PatchType, Preconditions, Start, Target,
        WatchRequest, Write,
    },
    testing::{Bench, json_of, target, webhooks::Webhooks},
};

/// `v1` says `spec.size`, `v2` says `spec.length`.
fn definition(client: &Value, stored: &str) -> Value {
    let version = |name: &str, field: &str| {
        json!({
            "name": name, "served": true, "storage": name == stored, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": [field], "properties": {
                    field: {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "red"},
                }},
                "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
            }}},
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "planks.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "planks", "kind": "Plank"},
            "versions": [version("v1", "size"), version("v2", "length")],
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": client,
            }},
        },
    })
}

/// What a webhook of the two versions answers.
fn convert(request: &Value) -> Value {
    let wanted = &request["desiredAPIVersion"];
    let objects = request["objects"].as_array().cloned().unwrap_or_default();
    let converted = objects.into_iter().map(|mut object| {
        let (from, to) = if wanted == "example.com/v2" {
            ("size", "length")
        } else {
            ("length", "size")
        };
        if let Some(spec) = object["spec"].as_object_mut()
            && let Some(value) = spec.remove(from)
        {
            spec.insert(to.to_owned(), value);
        }
        object["metadata"]["labels"]["converted"] = "yes".into();
        object["apiVersion"] = wanted.clone();
        object
    });
    let converted: Vec<Value> = converted.collect();
    answer(
        request,
        json!({"result": {"status": "Success"}, "convertedObjects": converted}),
    )
}

fn answer(request: &Value, mut response: Value) -> Value {
    response["uid"] = request["uid"].clone();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
}

fn row(bench: &Bench, version: &str) -> &'static Resource {
    bench
        .registry
        .catalog()
        .now()
        .by_path("example.com", version, "planks")
        .unwrap()
}

fn plank(version: &str, name: &str, field: &str, value: i64) -> Value {
    json!({
        "apiVersion": format!("example.com/{version}"), "kind": "Plank", "metadata": {"name": name},
        "spec": {field: value},
    })
}

async fn served() -> (Bench, Webhooks) {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("convert", convert);
    let own = definition(&hooks.client_config("convert"), "v1");
    bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, own)
        .await
        .unwrap();
    (bench, hooks)
}

/// The apiVersion and the one field of which the versions speak differently.
fn shape(object: &Value) -> (&str, &Value) {
    let version = object["apiVersion"].as_str().unwrap();
    let field = if version == "example.com/v1" {
        "size"
    } else {
        "length"
    };
    (version, &object["spec"][field])
}

#[tokio::test]
async fn every_way_in_and_out_is_converted() {
    let (bench, _hooks) = served().await;
    let (v1, v2) = (row(&bench, "v1"), row(&bench, "v2"));
    let from = Start::After(bench.registry.revision());
    let mut watch = bench.registry.watch(WatchRequest::all(v2, from)).unwrap();

    let created = json_of(
        &bench
            .create(v2, plank("v2", "a", "length", 3))
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(shape(&created), ("example.com/v2", &json!(3)));
    assert_eq!(created["spec"]["color"], "red");
    let revision = created["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let stored = bench.get(v1, "a").await.unwrap();
    assert_eq!(shape(&stored), ("example.com/v1", &json!(3)));
    assert_eq!(stored["metadata"]["resourceVersion"], revision.as_str());
    assert_eq!(stored["spec"].get("length"), None);
    let event = watch.next().await.unwrap().unwrap().remove(0);
    assert_eq!(event.kind, EventKind::Added);
    assert_eq!(
        shape(&json_of(&event.entry.unwrap())),
        ("example.com/v2", &json!(3))
    );

    bench.create(v1, plank("v1", "b", "size", 5)).await.unwrap();
    let listed = bench.registry.list(&ListRequest::all(v2)).await.unwrap();
    let listed: Vec<Value> = listed.entries.iter().map(json_of).collect();
    let shapes: Vec<_> = listed.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [("example.com/v2", &json!(3)), ("example.com/v2", &json!(5))]
    );

    let mut changed = created.clone();
    changed["spec"]["length"] = 4.into();
    let updated = json_of(&bench.update(target(v2, "a"), "", &changed).await.unwrap().entry);
    assert_eq!(
        (shape(&updated).1, &updated["metadata"]["generation"]),
        (&json!(4), &json!(2))
    );
    let patched = bench
        .patch(target(v2, "b"), "", json!({"spec": {"length": 6}}))
        .await
        .unwrap();
    assert_eq!(shape(&json_of(&patched.entry)), ("example.com/v2", &json!(6)));
    assert_eq!(shape(&bench.get(v1, "b").await.unwrap()).1, &json!(6));
    let mut ctx = Context::internal();
    ctx.options.field_manager = "m".to_owned();
    let apply = Write::Apply {
        target: target(v2, "c"),
        subresource: String::new(),
        body: plank("v2", "c", "length", 7).to_string().into(),
        force: false,
    };
    let applied = bench.registry.write(&ctx, apply).await.unwrap();
    assert_eq!(shape(&json_of(&applied.entry)), ("example.com/v2", &json!(7)));
    let ready = bench
        .patch(target(v2, "c"), "status", json!({"status": {"ready": true}}))
        .await
        .unwrap();
    assert_eq!(json_of(&ready.entry)["status"]["ready"], true);
    assert_eq!(shape(&bench.get(v1, "c").await.unwrap()).1, &json!(7));

    let deletes = ["a", "b"].map(|name| Write::Delete {
        target: target(v2, name),
        options: DeleteOptions::default(),
    });
    let deleted = bench.registry.batch(&ctx, deletes.to_vec(), true).await.unwrap();
    assert_eq!(
        shape(&json_of(&deleted[0].as_ref().unwrap().entry)),
        ("example.com/v2", &json!(4))
    );
    let alone = bench
        .delete(target(v2, "c"), DeleteOptions::default())
        .await
        .unwrap();
    assert_eq!(shape(&json_of(&alone.entry)), ("example.com/v2", &json!(7)));
}

#[tokio::test]
async fn a_batch_asks_once_and_carries_on() {
    let (bench, _hooks) = served().await;
    let v2 = row(&bench, "v2");
    let creates = (1..4).map(|number| Write::Create {
        resource: v2,
        namespace: "default".to_owned(),
        name: String::new(),
        body: plank("v2", &format!("p{number}"), "length", number)
            .to_string()
            .into(),
    });
    let written = bench
        .registry
        .batch(&Context::internal(), creates.collect(), false)
        .await
        .unwrap();
    for (written, number) in written.into_iter().zip(1..) {
        assert_eq!(
            shape(&json_of(&written.unwrap().entry)),
            ("example.com/v2", &json!(number))
        );
    }
}

#[tokio::test]
async fn what_a_webhook_refuses_is_not_stored() {
    let (bench, hooks) = served().await;
    let (v1, v2) = (row(&bench, "v1"), row(&bench, "v2"));
    // In terms of the version that was written.
    let wrong = bench.create(v2, plank("v2", "a", "length", 0)).await.unwrap_err();
    assert_eq!(
        message(wrong),
        "Plank.example.com \"a\" is invalid: spec.length: Invalid value: 0: spec.length in body should be greater than \
         or equal to 1"
    );
    hooks.on("convert", |request| {
        answer(
            request,
            json!({"result": {"status": "Failed", "message": "not today"}}),
        )
    });
    let refused = bench.create(v2, plank("v2", "a", "length", 3)).await.unwrap_err();
    assert_eq!(refused.code(), 500);
    assert_eq!(
        message(refused),
        "conversion webhook for example.com/v2, Kind=Plank failed: not today"
    );
    assert!(bench.get(v1, "a").await.unwrap_err().is_not_found());
    bench.create(v1, plank("v1", "b", "size", 5)).await.unwrap();
    for failed in [
        bench.get(v2, "b").await.map(drop),
        bench.registry.list(&ListRequest::all(v2)).await.map(drop),
        bench
            .patch(target(v2, "b"), "", json!({"spec": {"length": 9}}))
            .await
            .map(drop),
    ] {
        let why = message(failed.unwrap_err());
        assert_eq!(
            why,
            "conversion webhook for example.com/v1, Kind=Plank failed: not today"
        );
    }
    hooks.on("convert", |request| {
        answer(
            request,
            json!({"result": {"status": "Success"}, "convertedObjects": []}),
        )
    });
    assert_eq!(
        message(bench.get(v2, "b").await.unwrap_err()),
        "conversion webhook for example.com/v1, Kind=Plank returned 0 objects, expected 1"
    );
}

#[tokio::test]
async fn another_stored_version_is_read_at_once_and_stored_in_time() {
    let (bench, hooks) = served().await;
    bench
        .create(row(&bench, "v1"), plank("v1", "a", "size", 3))
        .await
        .unwrap();
    let name = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, "", "planks.example.com");
    let patch = json!({"spec": definition(&hooks.client_config("convert"), "v2")["spec"]});
    let registry = &bench.registry;
    let body = patch.to_string().into();
    let (ctx, free) = (Context::internal(), Preconditions::default());
    registry
        .patch(&ctx, name, "", PatchType::Merge, body, free)
        .await
        .unwrap();

    let (v1, v2) = (row(&bench, "v1"), row(&bench, "v2"));
    let kept = || registry.cache().get(v2, &target(v2, "a").key()).unwrap();
    let version = |json: &[u8]| encode::head(json).unwrap().0.to_owned();
    assert_eq!(version(&kept().json), "example.com/v1");
    assert_eq!(
        shape(&bench.get(v2, "a").await.unwrap()),
        ("example.com/v2", &json!(3))
    );
    assert_eq!(
        shape(&bench.get(v1, "a").await.unwrap()),
        ("example.com/v1", &json!(3))
    );
    let patched = bench
        .patch(target(v1, "a"), "", json!({"spec": {"color": "blue"}}))
        .await
        .unwrap();
    assert_eq!(shape(&json_of(&patched.entry)), ("example.com/v1", &json!(3)));
    assert_eq!(version(&kept().json), "example.com/v2");

    // And one that nobody writes.
    bench.create(v2, plank("v2", "b", "length", 4)).await.unwrap();
    let name = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, "", "planks.example.com");
    let back = json!({"spec": definition(&hooks.client_config("convert"), "v1")["spec"]});
    registry
        .patch(
            &ctx,
            name,
            "",
            PatchType::Merge,
            back.to_string().into(),
            Preconditions::default(),
        )
        .await
        .unwrap();
    assert!(!registry.tend_definitions().await.unwrap());
    let kept = registry.cache().get(v1, &target(v1, "b").key()).unwrap();
    assert_eq!(version(&kept.json), "example.com/v1");
    assert_eq!(
        shape(&bench.get(v2, "b").await.unwrap()),
        ("example.com/v2", &json!(4))
    );
}
