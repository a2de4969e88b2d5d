//! Which time of its schedule a CronJob has to act upon.

use coracle_api::cron::{Schedule, zone};
use jiff::{Timestamp, tz::TimeZone};

use crate::view::CronJob;

/// More times missed than this are told of.
const MISSED_MAX: i64 = 100;
/// Times that are counted one by one from the estimate on; a schedule with gaps needs a few.
const STEPS_MAX: usize = 2_000;

/// A schedule, read.
pub(super) struct Times {
    schedule: Schedule,
    zone: TimeZone,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The last time of the schedule that has passed and was not acted upon.
    pub(super) at: Timestamp,
    /// There were many before it.
    pub(super) too_many: bool,
}

impl Times {
    /// Reads a CronJob's schedule. Without a zone it is that of the process upstream, and UTC here.
    pub(super) fn of(cron_job: &CronJob) -> Result<Self, String> {
        let zone = match cron_job.spec.time_zone.as_deref() {
            Some(name) => zone(name).ok_or_else(|| format!("unknown time zone {name}"))?,
            None => TimeZone::UTC,
        };
        let schedule = Schedule::parse(&cron_job.spec.schedule)?;
        Ok(Self { schedule, zone })
    }

    /// In the zone of the schedule, as the annotation of Jobs has it.
    pub(super) fn in_zone(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        let offset = local.offset();
        if offset.is_zero() {
            return coracle_api::time::format(at);
        }
        local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next_after(after, &self.zone)
    }

    /// What is due `now`, where everything up to `done` was acted upon.
    pub(super) fn due(&self, done: Timestamp, now: Timestamp) -> Option<Due> {
        let first = self.next_after(done).filter(|first| *first <= now)?;
        let only = Some(Due {
            at: first,
            too_many: false,
        });
        let Some(second) = self.next_after(first).filter(|second| *second <= now) else {
            return only;
        };
        let between = (second.as_second() - first.as_second()).max(1);
        let missed = (now.as_second() - first.as_second()) / between + 1;
        // A minute-by-minute schedule that stood still for a year is not walked through.
        let close = now.as_second() - between.saturating_mul(2);
        let estimate = Timestamp::from_second(close.max(first.as_second())).ok();
        let mut at = first;
        let mut from = estimate.filter(|_| missed > MISSED_MAX).unwrap_or(first);
        for _ in 0..STEPS_MAX {
            match self.next_after(from).filter(|next| *next <= now) {
                Some(next) => (at, from) = (next, next),
                None => break,
            }
        }
        Some(Due {
            at,
            too_many: missed > MISSED_MAX,
        })
    }
}
