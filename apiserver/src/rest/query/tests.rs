//! Query strings and what becomes of them.

use super::*;

fn query(text: &str) -> Query {
    Query::of(&format!("/api/v1/pods?{text}").parse().unwrap()).unwrap()
}

#[test]
fn values_are_decoded() {
    let query = query("fieldSelector=metadata.name%3Dweb&watch=1&limit=500&empty=");
    assert_eq!(query.get("fieldSelector"), Some("metadata.name=web"));
    assert_eq!(query.flag("watch"), Some(true));
    assert_eq!(query.number("limit").unwrap(), Some(500));
    assert_eq!(query.get("empty"), None);
    assert_eq!(query.flag("other"), None);
}

#[test]
fn truth_is_what_is_not_denied() {
    for (text, expected) in [
        ("watch=true", true),
        ("watch=0", false),
        ("watch=False", false),
        ("watch", true),
    ] {
        assert_eq!(query(text).flag("watch"), Some(expected), "{text}");
    }
}

#[test]
fn reads() {
    let options = ReadOptions::from_query(&query("limit=500&resourceVersion=0&labelSelector=a%3Db")).unwrap();
    assert_eq!(
        (options.limit, options.revision, options.watch),
        (500, Some(0), false)
    );
    let text = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let options = ReadOptions::from_query(&query(text)).unwrap();
    assert_eq!((options.initial_events, options.bookmarks), (Some(true), true));
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (text, code) in [
        ("resourceVersion=x", 400),
        ("limit=many", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersionMatch=Gizmo&resourceVersion=5", 422),
        ("resourceVersionMatch=Exact&resourceVersion=0", 422),
        ("watch=1&sendInitialEvents=true", 422),
        ("watch=1&resourceVersionMatch=NotOlderThan", 422),
        ("sendInitialEvents=true", 422),
    ] {
        assert_eq!(
            ReadOptions::from_query(&query(text)).unwrap_err().code(),
            code,
            "{text}"
        );
    }
}

#[test]
fn writes() {
    let options = write_options(
        &query("dryRun=All&fieldManager=kubectl&fieldValidation=Strict"),
        "",
    )
    .unwrap();
    assert!(options.dry_run);
    assert_eq!(options.field_manager, "kubectl");
    assert_eq!(options.field_validation, FieldValidation::Strict);
    let error = write_options(&query("dryRun=Some"), "CreateOptions").unwrap_err();
    assert_eq!(
        error.message(),
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported values: \"All\""
    );
    assert_eq!(
        write_options(&query("fieldValidation=Maybe"), "CreateOptions")
            .unwrap_err()
            .code(),
        422
    );
    let long = format!("fieldManager={}", "x".repeat(129));
    assert_eq!(
        write_options(&query(&long), "CreateOptions").unwrap_err().code(),
        422
    );
}
