//! The parameters of requests: names, types, and what they do.

use serde_json::{Value, json};

/// Of every request.
pub(crate) const PRETTY: &[&str] = &["pretty"];
/// Of writes that bring a body.
pub(crate) const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
/// Of patches.
pub(crate) const PATCH: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
/// Of deletions.
pub(crate) const DELETE: &[&str] = &[
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];
/// Of reads of many, and of what is done to many.
pub(crate) const LIST: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

/// A parameter of the query.
pub(crate) fn query(name: &str) -> Value {
    let (ty, description) = describe(name);
    json!({
        "name": name,
        "in": "query",
        "description": description,
        "schema": { "type": ty, "uniqueItems": true },
    })
}

/// A parameter in the path.
pub(crate) fn path(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "description": description,
        "required": true,
        "schema": { "type": "string", "uniqueItems": true },
    })
}

fn describe(name: &str) -> (&'static str, &'static str) {
    match name {
        "allowWatchBookmarks" => (
            "boolean",
            "Whether a watch may be sent BOOKMARK events, which carry a resourceVersion to resume from.",
        ),
        "continue" => (
            "string",
            "The token of the previous page; the next page is of the same resourceVersion.",
        ),
        "dryRun" => (
            "string",
            "Where it is All, the request is processed as far as it can be and nothing is kept.",
        ),
        "fieldManager" => (
            "string",
            "Who is said to own the fields that this request sets. Required for apply patches.",
        ),
        "fieldSelector" => ("string", "Restricts the objects by their fields."),
        "fieldValidation" => (
            "string",
            "What to do about unknown and duplicate fields: Ignore, Warn (the default) or Strict.",
        ),
        "force" => (
            "boolean",
            "Whether an apply patch takes over fields that others own. Only for apply patches.",
        ),
        "gracePeriodSeconds" => (
            "integer",
            "How long the object may take to go, in seconds; zero is at once. The kind's own default where absent.",
        ),
        "ignoreStoreReadErrorWithClusterBreakingPotential" => (
            "boolean",
            "Whether an object that cannot be read is deleted all the same. Not supported by this server.",
        ),
        "labelSelector" => ("string", "Restricts the objects by their labels."),
        "limit" => (
            "integer",
            "The most objects that are answered at once; the answer has a token for the rest.",
        ),
        "orphanDependents" => ("boolean", "Deprecated: use propagationPolicy."),
        "pretty" => ("string", "Where it is true, the answer is indented."),
        "propagationPolicy" => (
            "string",
            "What becomes of dependents: Orphan leaves them, Background deletes them after the object, Foreground before.",
        ),
        "resourceVersion" => (
            "string",
            "How recent the answer must be, or where a watch begins.",
        ),
        "resourceVersionMatch" => (
            "string",
            "How resourceVersion is meant for a list: Exact or NotOlderThan.",
        ),
        "sendInitialEvents" => (
            "boolean",
            "Whether a watch begins with the present objects, followed by a bookmark that marks their end.",
        ),
        "timeoutSeconds" => ("integer", "How long a list or watch may take, in seconds."),
        "watch" => (
            "boolean",
            "Whether changes are followed instead of listing the objects.",
        ),
        _ => ("string", ""),
    }
}
