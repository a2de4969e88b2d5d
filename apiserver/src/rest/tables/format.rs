//! Maps, selectors, containers and access modes as text.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Selector;

/// A container's name and image.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Container {
    name: String,
    image: String,
}

/// `a=1,b=2`, or `<none>`.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    list(&pairs)
}

/// A selector in the syntax of `kubectl -l`, or `<none>`.
pub(super) fn selector(selector: &Selector) -> String {
    let mut parts: Vec<(&str, String)> = selector
        .match_labels
        .iter()
        .map(|(key, value)| (key.as_str(), format!("{key}={value}")))
        .collect();
    for requirement in &selector.match_expressions {
        let key = &requirement.key;
        let mut values = requirement.values.clone();
        values.sort();
        let text = match requirement.operator.as_str() {
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            _ => format!("{key} in ({})", values.join(",")),
        };
        parts.push((key, text));
    }
    parts.sort();
    list(&parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
}

/// Names and images, each with commas between.
pub(super) fn containers(containers: &[Container]) -> (String, String) {
    let join = |text: fn(&Container) -> &str| containers.iter().map(text).collect::<Vec<_>>().join(",");
    (
        join(|container| &container.name),
        join(|container| &container.image),
    )
}

/// `RWO,ROX`: each mode once, in upstream's order.
pub(super) fn access_modes(modes: &[String]) -> String {
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let found = short
        .iter()
        .filter(|(mode, _)| modes.iter().any(|own| own == mode));
    found.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// The items with commas between, or `<none>`.
pub(super) fn list(items: &[String]) -> String {
    if items.is_empty() {
        "<none>".to_owned()
    } else {
        items.join(",")
    }
}
