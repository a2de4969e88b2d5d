//! What holds for any configurations, objects and orders of writing.

use proptest::prelude::*;

use super::*;

fn labels() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-c]", "[12]", 0..3).prop_map(|labels| json!(labels))
}

/// An empty list is nobody's, so nothing can be said of it.
fn without_empty_lists(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
    }
    object
}

fn container() -> impl Strategy<Value = Value> {
    let variables = proptest::collection::btree_map("[XY]", "[12]", 0..2).prop_map(|variables| {
        let item = |(name, value)| json!({"name": name, "value": value});
        variables.into_iter().map(item).collect::<Vec<_>>()
    });
    let ports = proptest::collection::btree_set(80..82, 0..2).prop_map(|ports| {
        let item = |port| json!({"containerPort": port});
        ports.into_iter().map(item).collect::<Vec<_>>()
    });
    ("[12]", variables, ports).prop_map(|(image, env, ports)| {
        without_empty_lists(json!({"image": image, "env": env, "ports": ports}))
    })
}

fn config() -> impl Strategy<Value = Value> {
    let containers = proptest::collection::hash_map("[pqr]", container(), 0..3).prop_map(|containers| {
        let item = |(name, mut container): (String, Value)| {
            container["name"] = json!(name);
            container
        };
        containers.into_iter().map(item).collect::<Vec<_>>()
    });
    let finalizers = proptest::collection::hash_set("[a-d]", 0..3);
    let replicas = proptest::option::of(1..3);
    (
        labels(),
        finalizers,
        containers,
        replicas,
        proptest::option::of(labels()),
    )
        .prop_map(|(labels, finalizers, containers, replicas, selector)| {
            let mut config = json!({
                "metadata": without_empty_lists(json!({"labels": labels, "finalizers": finalizers})),
                "spec": {"template": {"spec": without_empty_lists(json!({"containers": containers}))}},
            });
            if let Some(replicas) = replicas {
                config["spec"]["replicas"] = json!(replicas);
            }
            if let Some(selector) = selector {
                config["spec"]["selector"] = json!({"matchLabels": selector});
            }
            config
        })
}

/// Any JSON, with names that a Pod has, so that it goes deep.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (0..3).prop_map(|value| json!(value)),
        "[a-c]".prop_map(|value| json!(value)),
    ];
    let name = prop::sample::select(vec![
        "metadata",
        "labels",
        "finalizers",
        "managedFields",
        "spec",
        "containers",
        "name",
        "ports",
        "containerPort",
        "protocol",
        "env",
        "volumes",
        "configMap",
        "selector",
        "a",
    ]);
    leaf.prop_recursive(6, 48, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::btree_map(name.clone(), inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

#[derive(Clone, Debug)]
enum Step {
    Apply(&'static str, Value),
    Update(&'static str, Value),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("one"), Just("other"), Just("third")];
    (any::<bool>(), name, config()).prop_map(|(applies, name, config)| match applies {
        true => Step::Apply(name, config),
        false => Step::Update(name, config),
    })
}

fn run(steps: &[Step]) -> Object {
    let mut object = Object::new();
    for step in steps {
        match step {
            Step::Apply(name, config) => object.try_apply(name, true, config).unwrap(),
            Step::Update(name, config) => object.update(name, config.clone()),
        }
    }
    object
}

proptest! {
    #[test]
    fn sets_survive_their_json(config in config()) {
        let fields = extract(&config, view());
        prop_assert_eq!(FieldSet::from_value(&fields.to_value()), Some(fields.clone()));
        let text: Value = serde_json::from_str(&fields.to_json()).unwrap();
        prop_assert_eq!(text, fields.to_value());
    }

    #[test]
    fn the_algebra_of_sets(one in config(), other in config()) {
        let (one, other) = (extract(&one, view()), extract(&other, view()));
        let both = one.intersection(&other);
        prop_assert_eq!(one.difference(&other).union(&both), one.clone());
        prop_assert_eq!(one.union(&other), other.union(&one));
        prop_assert!(one.difference(&other).intersection(&other).is_empty());
        prop_assert!(one.without(&other).difference(&one.difference(&other)).is_empty());
    }

    #[test]
    fn merging_contains_what_was_applied(live in config(), applied in config()) {
        let merged = merge(&live, &applied, view());
        prop_assert_eq!(merge(&merged, &applied, view()), merged.clone());
        // The merged value lacks nothing of the applied one, and differs from it only by what was there.
        let since = compare(&applied, &merged, view());
        prop_assert!(since.removed.is_empty(), "{:?}", since.removed);
        prop_assert!(since.modified.is_empty(), "{:?}", since.modified);
    }

    #[test]
    fn applying_twice_is_applying_once(steps in proptest::collection::vec(step(), 0..5), config in config()) {
        let mut object = run(&steps);
        object.try_apply("one", true, &config).unwrap();
        let before = object.clone();
        object.try_apply("one", false, &config).unwrap();
        prop_assert_eq!(&object.value, &before.value);
        prop_assert_eq!(object.managers, before.managers);
    }

    #[test]
    fn what_only_one_owned_goes_when_it_applies_nothing(
        steps in proptest::collection::vec(step(), 0..5),
        config in config(),
    ) {
        let mut object = run(&steps);
        object.try_apply("owner", true, &config).unwrap();
        let others = object.managers.iter().filter(|manager| manager.name != "owner");
        let others = others.fold(FieldSet::default(), |all, manager| all.union(&manager.fields));
        let mine = object.managers.iter().find(|manager| manager.name == "owner").map(|manager| manager.fields.clone());
        object.try_apply("owner", false, &json!({})).unwrap();
        let left = extract(&object.value, view());
        for path in mine.unwrap_or_default().difference(&others).paths() {
            // A container that others fill stays with what they own of it.
            let holds_others = others.paths().iter().any(|other| other.0.starts_with(&path.0));
            prop_assert!(holds_others || !left.contains(&path.0), "{path} is left in {}", object.value);
        }
    }

    #[test]
    fn nothing_is_too_strange(one in anything(), other in anything(), third in anything()) {
        let pod = coracle_api::schema::builtin("v1", "Pod").unwrap();
        for view in [pod, view(), View::any()] {
            let fields = extract(&one, view);
            prop_assert_eq!(FieldSet::from_value(&fields.to_value()), Some(fields.clone()));
            let _ = remove(&other, &fields, &extract(&third, view), view);
            let same = compare(&one, &one, view);
            prop_assert!(same.added.is_empty() && same.modified.is_empty() && same.removed.is_empty());
            let managers = Managers::default()
                .update(&one, &other, view, &NOTHING, writer("one", 1))
                .update(&other, &third, view, &NOTHING, writer("other", 2));
            let applied = Applied { config: &one, force: true, ignored: &NOTHING };
            if let Ok((value, managers)) = managers.apply(&third, &blank(view), applied, view, writer("one", 3)) {
                let again = managers.clone().apply(&value, &blank(view), applied, view, writer("one", 4));
                prop_assert_eq!(again.unwrap().1, managers);
            }
        }
    }

    #[test]
    fn every_owned_field_is_there(steps in proptest::collection::vec(step(), 0..6)) {
        let object = run(&steps);
        let named = extract(&object.value, view()).with_named_fields(view());
        for manager in object.managers.iter() {
            for path in manager.fields.paths() {
                let is_there = named.contains(&path.0);
                prop_assert!(is_there, "{} owns {path}, which is not in {}", manager.name, object.value);
            }
        }
    }
}
