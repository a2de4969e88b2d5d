//! Selectors, and the paths and queries of requests.

use coracle_api::{FieldSelector, LabelSelector, kinds};
use coracle_auth::RequestInfo;

/// A selector of labels, and one of fields.
pub(super) fn selectors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(selector) = LabelSelector::parse(text) {
        let shown = selector.to_string();
        let again = LabelSelector::parse(&shown);
        let again = again.unwrap_or_else(|error| panic!("{shown:?} was written and is not read: {error}"));
        assert_eq!(
            again.to_string(),
            shown,
            "a selector changes when it is read again"
        );
    }
    if let Ok(selector) = FieldSelector::parse(text) {
        let _ = selector.matches(|_| Some("x".into()));
        let _ = selector.requires_exact("metadata.name");
    }
    let _ = FieldSelector::parse_for(kinds::POD, text);
}

/// A method, a path and a query, as authorization reads them.
pub(super) fn paths(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let info = RequestInfo::of(method, path, query);
    let _ = (info.is_read(), info.is_long());
}
