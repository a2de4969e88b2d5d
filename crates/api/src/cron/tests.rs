//! Tests of `cron`: times as upstream's library gives them.

use jiff::{Timestamp, tz::TimeZone};

use super::{Schedule, zone};

#[track_caller]
fn check(schedule: &str, zone_name: &str, after: &str, expected: &[&str]) {
    let zone = zone(zone_name).unwrap();
    let schedule = Schedule::parse(schedule).unwrap();
    let mut at: Timestamp = after.parse().unwrap();
    for expected in expected {
        at = schedule.next_after(at, &zone).unwrap();
        assert_eq!(at.to_string(), *expected, "{schedule:?}");
    }
}

#[test]
fn times_come_in_order() {
    let utc = "Etc/UTC";
    check(
        "* * * * *",
        utc,
        "2026-01-01T00:00:30Z",
        &["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"],
    );
    check(
        "*/15 9-17 * * MON-FRI",
        utc,
        "2026-01-02T17:50:00Z",
        &["2026-01-05T09:00:00Z", "2026-01-05T09:15:00Z"],
    );
    check(
        "0 0 29 2 *",
        utc,
        "2026-01-01T00:00:00Z",
        &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
    );
    // Where both days are given, either will do.
    check(
        "0 0 13 * FRI",
        utc,
        "2026-01-08T00:00:00Z",
        &["2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"],
    );
    check(
        "0 0 */2 * FRI",
        utc,
        "2026-01-08T12:00:00Z",
        &["2026-01-09T00:00:00Z", "2026-01-11T00:00:00Z"],
    );
    check(
        "5/20 * * * *",
        utc,
        "2026-01-01T00:00:00Z",
        &[
            "2026-01-01T00:05:00Z",
            "2026-01-01T00:25:00Z",
            "2026-01-01T00:45:00Z",
            "2026-01-01T01:05:00Z",
        ],
    );
    check("@weekly", utc, "2026-01-01T00:00:00Z", &["2026-01-04T00:00:00Z"]);
    check("@yearly", utc, "2026-01-01T00:00:00Z", &["2027-01-01T00:00:00Z"]);
    check(
        "@every 1h30m",
        utc,
        "2026-01-01T00:00:00.7Z",
        &["2026-01-01T01:30:00Z", "2026-01-01T03:00:00Z"],
    );
    check(
        "@every 10ms",
        utc,
        "2026-01-01T00:00:00Z",
        &["2026-01-01T00:00:01Z"],
    );
}

#[test]
fn clocks_that_change_skip_and_repeat() {
    let berlin = "Europe/Berlin";
    check(
        "30 2 * * *",
        berlin,
        "2026-03-28T12:00:00Z",
        &["2026-03-30T00:30:00Z"],
    );
    check(
        "30 2 * * *",
        berlin,
        "2026-10-24T12:00:00Z",
        &[
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:30:00Z",
        ],
    );
    check(
        "0 9 * * *",
        "America/New_York",
        "2026-07-01T00:00:00Z",
        &["2026-07-01T13:00:00Z"],
    );
}

#[test]
fn what_never_comes_is_none() {
    let schedule = Schedule::parse("0 0 30 2 *").unwrap();
    assert_eq!(schedule.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
}

#[test]
fn zones_are_found_by_their_exact_names() {
    assert!(zone("Europe/Berlin").is_some());
    assert!(zone("europe/berlin").is_none());
    assert!(zone("Moon/Base").is_none());
}
