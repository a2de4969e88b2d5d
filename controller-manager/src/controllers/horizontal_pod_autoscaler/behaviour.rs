//! How fast a target may grow and shrink. Source: "Configurable scaling behavior" in the Kubernetes documentation.

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior as Behaviour,
};

/// Where nothing is said, the highest recommendation of so many seconds holds while shrinking.
const STABILIZATION_DOWN_SECONDS: i32 = 300;
/// Changes and recommendations that are remembered of one target at most.
pub(super) const REMEMBERED_MAX: usize = 1_024;

/// What is remembered of a target; a new leader begins without.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// What was recommended, and when.
    pub(super) recommendations: Vec<(Timestamp, i32)>,
    /// By how much it changed, and when; negative where it shrank.
    pub(super) changes: Vec<(Timestamp, i32)>,
}

impl History {
    /// Forgets what is older than anything asks for.
    pub(super) fn prune(&mut self, now: Timestamp) {
        const OLDEST_SECONDS: i64 = 3_600;
        let is_recent = |at: Timestamp| at.as_second() + OLDEST_SECONDS >= now.as_second();
        for list in [&mut self.recommendations, &mut self.changes] {
            list.retain(|(at, _)| is_recent(*at));
            let surplus = list.len().saturating_sub(REMEMBERED_MAX);
            list.drain(..surplus);
        }
    }

    fn moved(&self, seconds: i32, up: bool, now: Timestamp) -> i32 {
        let since = now.as_second() - i64::from(seconds);
        let recent = self
            .changes
            .iter()
            .filter(|(at, by)| at.as_second() > since && (*by > 0) == up);
        recent.map(|(_, by)| by.abs()).sum()
    }
}

/// A condition to set: whether it is true, its reason, its message.
pub(super) type Said = (bool, &'static str, &'static str);

/// What is recommended, held steady; and what to say of it.
pub(super) fn stabilize(
    behaviour: Option<&Behaviour>,
    history: &History,
    current: i32,
    desired: i32,
    now: Timestamp,
) -> (i32, Said) {
    let seconds = |rules: Option<&HPAScalingRules>, default: i32| {
        rules
            .and_then(|rules| rules.stabilization_window_seconds)
            .unwrap_or(default)
    };
    let up = seconds(behaviour.and_then(|own| own.scale_up.as_ref()), 0);
    let down = seconds(
        behaviour.and_then(|own| own.scale_down.as_ref()),
        STABILIZATION_DOWN_SECONDS,
    );
    let recent = |window: i32| {
        let since = now.as_second() - i64::from(window);
        let recommended = history.recommendations.iter();
        recommended
            .filter(move |(at, _)| at.as_second() > since)
            .map(|(_, replicas)| *replicas)
    };
    let lowest = recent(up).fold(desired, i32::min);
    let highest = recent(down).fold(desired, i32::max);
    let stable = current.max(lowest).min(highest);
    let said = if stable == desired {
        (true, "ReadyForNewScale", "recommended size matches current size")
    } else if stable < desired {
        (
            true,
            "ScaleUpStabilized",
            "recent recommendations were lower than current one, applying the lowest recent recommendation",
        )
    } else {
        (
            true,
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        )
    };
    (stable, said)
}

/// What may be done of it at once, within `min` and `max`; and what to say of that.
pub(super) fn limit(
    behaviour: Option<&Behaviour>,
    history: &History,
    current: i32,
    desired: i32,
    (min, max): (i32, i32),
    now: Timestamp,
) -> (i32, Said) {
    if desired > current {
        let rules = behaviour.and_then(|own| own.scale_up.as_ref());
        let fastest = fastest_up(rules, history, current, now).max(current);
        let most = fastest.min(max);
        if desired > most {
            let why = if max > fastest {
                (
                    "ScaleUpLimit",
                    "the desired replica count is increasing faster than the maximum scale rate",
                )
            } else {
                (
                    "TooManyReplicas",
                    "the desired replica count is more than the maximum replica count",
                )
            };
            return (most, (true, why.0, why.1));
        }
    } else if desired < current {
        let rules = behaviour.and_then(|own| own.scale_down.as_ref());
        let fastest = fastest_down(rules, history, current, now).min(current);
        let least = fastest.max(min);
        if desired < least {
            let why = if min < fastest {
                (
                    "ScaleDownLimit",
                    "the desired replica count is decreasing faster than the maximum scale rate",
                )
            } else {
                (
                    "TooFewReplicas",
                    "the desired replica count is less than the minimum replica count",
                )
            };
            return (least, (true, why.0, why.1));
        }
    }
    let within = "the desired count is within the acceptable range";
    (desired, (false, "DesiredWithinRange", within))
}

fn policies(rules: Option<&HPAScalingRules>, defaults: &[(&str, i32, i32)]) -> Vec<HPAScalingPolicy> {
    let own = rules
        .and_then(|rules| rules.policies.clone())
        .filter(|own| !own.is_empty());
    own.unwrap_or_else(|| {
        let defaults = defaults
            .iter()
            .map(|(type_, value, period_seconds)| HPAScalingPolicy {
                type_: (*type_).to_owned(),
                value: *value,
                period_seconds: *period_seconds,
            });
        defaults.collect()
    })
}

fn fastest_up(rules: Option<&HPAScalingRules>, history: &History, current: i32, now: Timestamp) -> i32 {
    let select = rules
        .and_then(|rules| rules.select_policy.as_deref())
        .unwrap_or("Max");
    if select == "Disabled" {
        return current;
    }
    let all = policies(rules, &[("Pods", 4, 15), ("Percent", 100, 15)]);
    let limits = all.iter().map(|policy| {
        let seconds = policy.period_seconds;
        let start = current - history.moved(seconds, true, now) + history.moved(seconds, false, now);
        match &*policy.type_ {
            "Percent" => percent(start, 100 + i64::from(policy.value), 99),
            _ => start.saturating_add(policy.value),
        }
    });
    let limit = if select == "Min" {
        limits.min()
    } else {
        limits.max()
    };
    limit.unwrap_or(current)
}

fn fastest_down(rules: Option<&HPAScalingRules>, history: &History, current: i32, now: Timestamp) -> i32 {
    let select = rules
        .and_then(|rules| rules.select_policy.as_deref())
        .unwrap_or("Max");
    if select == "Disabled" {
        return current;
    }
    let all = policies(rules, &[("Percent", 100, 15)]);
    let limits = all.iter().map(|policy| {
        let seconds = policy.period_seconds;
        let start = current - history.moved(seconds, true, now) + history.moved(seconds, false, now);
        match &*policy.type_ {
            "Percent" => percent(start, 100 - i64::from(policy.value), 0),
            _ => start.saturating_sub(policy.value),
        }
    });
    let limit = if select == "Min" {
        limits.max()
    } else {
        limits.min()
    };
    limit.unwrap_or(current)
}

/// A share in percent; `up` is 99 to round up and 0 to round down.
fn percent(of: i32, percent: i64, up: i64) -> i32 {
    let share = (i64::from(of).saturating_mul(percent) + up).div_euclid(100);
    i32::try_from(share).unwrap_or(i32::MAX)
}
