//! Tests of `time`.

use super::*;

#[test]
fn times_are_written_as_the_api_writes_them() {
    let now: Timestamp = "2026-11-22T15:51:48.125423999Z".parse().unwrap();
    assert_eq!(format(now), "2026-11-22T15:51:48Z");
    assert_eq!(format_micro(now), "2026-11-22T15:51:48.125423Z");
    assert_eq!(
        serde_json::to_string(&time(now)).unwrap(),
        "\"2026-11-22T15:51:48Z\""
    );
    assert_eq!(
        serde_json::to_string(&micro_time(now)).unwrap(),
        "\"2026-11-22T15:51:48.125423Z\""
    );
    let even = parse("2026-11-22T15:51:48Z").unwrap();
    assert_eq!(format_micro(even), "2026-11-22T15:51:48.000000Z");
}

#[test]
fn times_are_read_in_any_offset() {
    assert_eq!(parse("2026-11-22T16:51:48+01:00"), parse("2026-11-22T15:51:48Z"));
    assert_eq!(parse("yesterday"), None);
    assert_eq!(
        seconds_between(
            parse("2026-11-22T15:00:00Z").unwrap(),
            parse("2026-11-22T15:01:00Z").unwrap()
        ),
        60
    );
}
