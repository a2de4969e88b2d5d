//! Where server-side apply meets client-side apply: the annotation in which kubectl remembers what it applied.
//!
//! Only the manager `kubectl` is treated so, as upstream does: it may take what it had set by client-side apply, and
//! the annotation follows what it applies, so that either way of applying can come next.

use coracle_api::patch::three_way::LAST_APPLIED;
use coracle_api::schema::View;
use serde_json::Value;

use crate::compare::compare;
use crate::extract::extract;
use crate::managers::Writer;
use crate::set::FieldSet;

const KUBECTL: &str = "kubectl";

/// Past this size of all annotations the memory is dropped.
const MAX_BYTES: usize = 256 * 1024;

/// What client-side apply set and nobody has changed since; `None` where nothing is remembered.
pub(crate) fn takeable(live: &Value, view: View<'_>, writer: Writer<'_>) -> Option<FieldSet> {
    if writer.manager != KUBECTL {
        return None;
    }
    let last: Value = serde_json::from_str(remembered(live)?).ok()?;
    if last.get("apiVersion").and_then(Value::as_str) != Some(writer.api_version) {
        return None;
    }
    let since = compare(&last, live, view);
    let gone = since.modified.union(&since.added).union(&since.removed);
    Some(extract(&last, view).difference(&gone))
}

/// Lets the annotation of an object that has one remember what is applied now.
pub(crate) fn follow(object: &mut Value, config: &Value, writer: Writer<'_>) {
    if writer.manager != KUBECTL || remembered(object).is_none() {
        return;
    }
    let mut config = config.clone();
    if let Some(metadata) = config.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    let Some(annotations) = object
        .get_mut("metadata")
        .and_then(|metadata| metadata.get_mut("annotations"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    annotations.insert(LAST_APPLIED.to_owned(), Value::String(format!("{config}\n")));
    let size = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
    if annotations.iter().map(size).sum::<usize>() > MAX_BYTES {
        annotations.remove(LAST_APPLIED);
    }
}

fn remembered(object: &Value) -> Option<&str> {
    let text = object
        .get("metadata")?
        .get("annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    Some(text).filter(|text| !text.is_empty())
}
