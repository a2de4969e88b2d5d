//! API times: RFC 3339 text to and from timestamps. What time it is now is always passed in.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

#[cfg(test)]
mod tests;

/// An API time, cut to whole seconds as the API does.
pub fn time(now: Timestamp) -> Time {
    Time(whole_seconds(now))
}

/// An API time with microseconds, as Events and Leases carry.
pub fn micro_time(now: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
}

/// The timestamp cut to whole seconds.
pub fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// `2026-11-22T15:51:44Z`.
pub fn format(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-22T15:51:44.125423Z`, always with six digits.
pub fn format_micro(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Reads RFC 3339 text with or without fractions of a second, in any offset.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Whole seconds from `earlier` to `later`; negative where they are the other way round.
pub fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.duration_since(earlier).as_secs()
}
