//! What a Job remembers of failures.

use std::sync::Arc;

use serde_json::json;

use super::super::{look::Look, pods::Failures};
use super::{job, pod, started, with};
use crate::{
    testing::{NOW, at},
    view::Pod,
};

#[test]
fn failures_of_pods_that_are_gone_count_until_one_succeeds() {
    let job = job(json!({}), with(started(), json!({"failed": 3})));
    let failures = |count: u32, second: i64| Failures {
        count,
        last: (count > 0).then(|| at(NOW - second)),
    };
    let seen = |pods: &[Arc<Pod>], known: Failures| Failures::of(&Look::new(&job, pods), known);
    // What `pod` makes ended a second ago.
    let (failed, good) = (pod("a", "Failed free going"), pod("b", "Succeeded free going"));
    let one = seen(&[Arc::clone(&failed)], Failures::default());
    assert_eq!(one.count, 1);
    assert_eq!(seen(&[], failures(3, 2)), failures(3, 2), "all were removed");
    let again = seen(&[Arc::clone(&failed)], failures(3, 2));
    assert_eq!(
        (again.count, again.last),
        (3, one.last),
        "two of three were removed"
    );
    assert_eq!(
        seen(&[good], failures(3, 100)).count,
        0,
        "a success ends the series"
    );
}
