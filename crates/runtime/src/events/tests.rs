//! Tests of `events`.

use std::time::Duration;

use coracle_client::Write;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Note, ObjectRef,
    books::{BURST, Books, FOLDED_MAX, PER_SECOND, Sending},
};
use coracle_service::Clock;

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "ReplicaSet".to_owned(),
        namespace: "probe".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        revision: 7,
    }
}

fn json_of(sending: &Sending) -> Value {
    let bytes = match &sending.write {
        Write::Create { json, .. } => json,
        Write::Patch { patch, .. } => patch,
        other => panic!("events are created and patched, not {other:?}"),
    };
    serde_json::from_slice(bytes).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn an_event_has_the_shape_of_upstream() {
    let tick = Clock::system().monotonic();
    let mut books = Books::new("replicaset-controller", tick);
    books.enter(
        None,
        Note::normal(object("dd"), "SuccessfulCreate", "Created pod: dd-1"),
        at(1_000),
        tick,
    );
    let sent = books.close(tick);
    assert_eq!(
        json_of(&sent[0]),
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "dd.e8d4a51000", "namespace": "probe"},
            "involvedObject": {
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "namespace": "probe", "name": "dd",
                "uid": "uid-of-dd", "resourceVersion": "7",
            },
            "reason": "SuccessfulCreate",
            "message": "Created pod: dd-1",
            "type": "Normal",
            "count": 1,
            "firstTimestamp": "1970-01-01T00:16:40Z",
            "lastTimestamp": "1970-01-01T00:16:40Z",
            "source": {"component": "replicaset-controller"},
            "reportingComponent": "replicaset-controller",
            "reportingInstance": "",
        })
    );
}

#[test]
fn the_same_again_is_counted() {
    let tick = Clock::system().monotonic();
    let mut books = Books::new("test", tick);
    let note = Note::warning(object("a"), "FailedCreate", "no");
    books.enter(None, note.clone(), at(1), tick);
    books.enter(None, note.clone(), at(2), tick);
    assert_eq!(json_of(&books.close(tick)[0])["count"], 2);
    books.enter(None, note, at(3), tick);
    assert_eq!(
        json_of(&books.close(tick)[0]),
        json!({"count": 3, "lastTimestamp": "1970-01-01T00:00:03Z"})
    );
}

#[test]
fn what_exceeds_the_tokens_is_counted_on_the_owner() {
    let tick = Clock::system().monotonic();
    let mut books = Books::new("test", tick);
    for number in 0..BURST + 250 {
        let note = Note::normal(object(&format!("pod-{number}")), "Scheduled", "assigned");
        books.enter(None, note.counted_on(object("web")), at(1), tick);
    }
    assert_eq!(books.close(tick).len(), BURST as usize);
    assert!(books.owes());
    let later = tick + Duration::from_secs(1);
    let combined = books.close(later);
    assert_eq!(combined.len(), 1);
    let event = json_of(&combined[0]);
    assert_eq!(event["count"], 250);
    assert_eq!(event["involvedObject"]["name"], "web");
    assert_eq!(event["message"], "(combined from similar events)");
    assert!(!books.owes());
}

#[test]
fn tokens_come_back_slowly_and_counted_events_are_bounded() {
    let tick = Clock::system().monotonic();
    let mut books = Books::new("test", tick);
    let many = BURST as usize + FOLDED_MAX + 10;
    for number in 0..many {
        books.enter(
            None,
            Note::normal(object(&format!("pod-{number}")), "Pulled", "pulled"),
            at(1),
            tick,
        );
    }
    assert_eq!(books.close(tick).len(), BURST as usize);
    assert_eq!(
        books.close(tick + Duration::from_secs(1)).len(),
        PER_SECOND as usize
    );
}

#[test]
fn what_was_not_sent_comes_first_next_time() {
    let tick = Clock::system().monotonic();
    let mut books = Books::new("test", tick);
    books.enter(None, Note::normal(object("a"), "One", "1"), at(1), tick);
    let sending = books.close(tick);
    books.unsent(sending);
    books.enter(None, Note::normal(object("a"), "Two", "2"), at(1), tick);
    let reasons: Vec<_> = books
        .close(tick)
        .iter()
        .map(|sending| json_of(sending)["reason"].clone())
        .collect();
    assert_eq!(reasons, ["One", "Two"]);
}
