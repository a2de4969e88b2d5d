//! Mistakes in the schedules of CronJobs and their time zones.

use super::check::Errors;
use crate::cron::{Schedule, zone};
use crate::field_error::{FieldError, Path};

/// Mistakes in a schedule and its time zone.
pub(super) fn schedule(errors: &mut Errors, schedule: &str, zone: Option<&str>, path: &Path) {
    let at = path.child("schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required(&at, ""));
    } else if schedule.contains("TZ=") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid(&at, schedule, detail));
    } else if let Err(why) = Schedule::parse(schedule) {
        errors.push(FieldError::invalid(&at, schedule, why));
    }
    if let Some(zone) = zone
        && let Some(why) = zone_mistake(zone)
    {
        errors.push(FieldError::invalid(&path.child("timeZone"), zone, why));
    }
}

fn zone_mistake(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("timeZone must be nil or non-empty string".to_owned());
    }
    if name.eq_ignore_ascii_case("local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        return Some(why.to_owned());
    }
    zone(name).is_none().then(|| format!("unknown time zone {name}"))
}
