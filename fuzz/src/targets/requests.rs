//! Whole requests to the REST door of a running apiserver: a line `METHOD TARGET`, lines of headers, an empty line,
//! the body.

use super::super::doors::{Answer, with_doors};

/// What upstream answers with 500, too: a configuration that cannot be typed, and groups of nobody.
const AS_UPSTREAM: [&str; 2] = [
    "failed to create typed patch object",
    "without impersonating a user",
];

/// One request. Every failure must be a Status that says so; nothing may break the connection.
pub(super) fn requests(data: &[u8]) {
    let (head, body) = match data.windows(2).position(|window| window == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let (method, target) = lines
        .next()
        .and_then(|line| line.split_once(' '))
        .unwrap_or(("GET", "/"));
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let Some(answer) = with_doors(|doors| doors.rest(method, target, &headers, body)) else {
        return;
    };
    check(&answer, method, target);
}

fn check(answer: &Answer, method: &str, target: &str) {
    let Answer { code, is_json, body } = answer;
    if *code < 400 {
        return;
    }
    let text = String::from_utf8_lossy(body);
    let shown = || format!("{method} {target} answered {code}: {text}");
    assert!(
        *code != 500 || AS_UPSTREAM.iter().any(|own| text.contains(own)),
        "{}",
        shown()
    );
    if *is_json && method != "HEAD" {
        let status: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        assert!(
            status["kind"] == "Status" && status["status"] == "Failure",
            "{}",
            shown()
        );
        assert_eq!(status["code"], *code, "{}", shown());
    }
}
