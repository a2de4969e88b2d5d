//! From usage to a number of replicas, with pods that are missing, not ready or on their way taken into account.
//!
//! Source: "Algorithm details" of the HorizontalPodAutoscaler page in the Kubernetes documentation.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// For so long after its start a pod's CPU is not believed while it is not ready.
const CPU_INITIALIZATION_SECONDS: i64 = 300;
/// A pod that has not been ready within this never was.
const INITIAL_READINESS_SECONDS: i64 = 30;

/// A pod of the target.
#[derive(Clone, Debug, Default)]
pub(super) struct PodFacts {
    pub(super) name: Box<str>,
    /// Deleted, or failed: nobody asks about it.
    pub(super) is_ignored: bool,
    pub(super) is_pending: bool,
    /// Condition Ready, and when it last changed.
    pub(super) ready: Option<(bool, Timestamp)>,
    pub(super) started_at: Option<Timestamp>,
    /// By container and resource, in thousandths.
    pub(super) requests: BTreeMap<Box<str>, BTreeMap<Box<str>, i64>>,
}

/// One measured pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// In thousandths.
    pub(super) value: i64,
    pub(super) at: Timestamp,
    pub(super) window_seconds: i64,
}

/// What was measured, by pod.
pub(super) type Samples = BTreeMap<Box<str>, Sample>;

/// How far from the target the ratio may be before something is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    pub(super) up: f64,
    pub(super) down: f64,
}

impl Tolerance {
    fn holds(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// What a calculation gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Proposal {
    pub(super) replicas: i32,
    /// In percent of what is requested; zero where nothing is compared with requests.
    pub(super) utilization: i64,
    /// Of a pod on average, in thousandths.
    pub(super) average: i64,
}

/// What a pod should use.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Percent of its requests, which are given by pod in thousandths.
    Utilization(i64, BTreeMap<Box<str>, i64>),
    /// Thousandths.
    Value(i64),
}

/// The pods of a target, sorted by what may be concluded from them.
#[derive(Debug, Default)]
struct Groups {
    ready: usize,
    unready: Vec<Box<str>>,
    missing: Vec<Box<str>>,
}

impl Groups {
    fn of(pods: &[PodFacts], samples: &Samples, is_cpu: bool, now: Timestamp) -> Self {
        let mut groups = Self::default();
        for pod in pods.iter().filter(|pod| !pod.is_ignored) {
            if pod.is_pending {
                groups.unready.push(pod.name.clone());
            } else if let Some(sample) = samples.get(&pod.name) {
                if is_cpu && !is_believed(pod, sample, now) {
                    groups.unready.push(pod.name.clone());
                } else {
                    groups.ready += 1;
                }
            } else {
                groups.missing.push(pod.name.clone());
            }
        }
        groups
    }
}

/// CPU at the start of a pod says nothing about its load.
fn is_believed(pod: &PodFacts, sample: &Sample, now: Timestamp) -> bool {
    let (Some((is_ready, changed)), Some(started)) = (pod.ready, pod.started_at) else {
        return false;
    };
    let (started, changed) = (started.as_second(), changed.as_second());
    if started + CPU_INITIALIZATION_SECONDS > now.as_second() {
        return is_ready && sample.at.as_second() >= changed + sample.window_seconds;
    }
    is_ready || started + INITIAL_READINESS_SECONDS <= changed
}

/// The number of replicas with which pods would use what they should.
pub(super) fn replicas(
    current: i32,
    pods: &[PodFacts],
    samples: &Samples,
    target: &Target,
    is_cpu: bool,
    tolerance: Tolerance,
    now: Timestamp,
) -> Result<Proposal, String> {
    if pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".to_owned());
    }
    let groups = Groups::of(pods, samples, is_cpu, now);
    let counted = |name: &str| {
        let known = pods.iter().find(|pod| *pod.name == *name);
        known.is_some_and(|pod| !pod.is_ignored) && !groups.unready.iter().any(|own| **own == *name)
    };
    let mut values: BTreeMap<Box<str>, i64> = samples
        .iter()
        .filter(|(name, _)| counted(name))
        .map(|(name, sample)| (name.clone(), sample.value))
        .collect();
    if values.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    let first = Usage::of(&values, target)?;
    let proposal = |replicas: i32| Proposal {
        replicas,
        utilization: first.utilization,
        average: first.average,
    };
    let grows_with_unready = !groups.unready.is_empty() && first.ratio > 1.0;
    if !grows_with_unready && groups.missing.is_empty() {
        let steady = tolerance.holds(first.ratio);
        return Ok(proposal(if steady {
            current
        } else {
            times(first.ratio, groups.ready)
        }));
    }
    // Pods of which nothing is known are taken for what makes the change smaller.
    if first.ratio != 1.0 {
        for name in &groups.missing {
            values.insert(
                name.clone(),
                if first.ratio < 1.0 { full(target, name) } else { 0 },
            );
        }
    }
    if grows_with_unready {
        for name in &groups.unready {
            values.insert(name.clone(), 0);
        }
    }
    let second = Usage::of(&values, target)?;
    let turned = (first.ratio < 1.0 && second.ratio > 1.0) || (first.ratio > 1.0 && second.ratio < 1.0);
    if tolerance.holds(second.ratio) || turned {
        return Ok(proposal(current));
    }
    let wanted = times(second.ratio, values.len());
    let contradicts = (second.ratio < 1.0 && wanted > current) || (second.ratio > 1.0 && wanted < current);
    Ok(proposal(if contradicts { current } else { wanted }))
}

struct Usage {
    ratio: f64,
    utilization: i64,
    average: i64,
}

impl Usage {
    fn of(values: &BTreeMap<Box<str>, i64>, target: &Target) -> Result<Self, String> {
        let (mut total, mut requested, mut count) = (0_i64, 0_i64, 0_i64);
        for (name, value) in values {
            if let Target::Utilization(_, requests) = target {
                let Some(request) = requests.get(name) else {
                    continue;
                };
                requested = requested.saturating_add(*request);
            }
            total = total.saturating_add(*value);
            count += 1;
        }
        let average = if count == 0 { 0 } else { total / count };
        match target {
            Target::Value(wanted) => Ok(Self {
                ratio: share(average, *wanted),
                utilization: 0,
                average,
            }),
            Target::Utilization(..) if requested == 0 => {
                Err("no metrics returned matched known pods".to_owned())
            }
            Target::Utilization(percent, _) => {
                let utilization =
                    i64::try_from(i128::from(total) * 100 / i128::from(requested)).unwrap_or(i64::MAX);
                Ok(Self {
                    ratio: share(utilization, *percent),
                    utilization,
                    average,
                })
            }
        }
    }
}

/// What a pod uses that uses all it should, or all it requests where that is more.
fn full(target: &Target, pod: &str) -> i64 {
    match target {
        Target::Value(value) => *value,
        Target::Utilization(percent, requests) => {
            let request = requests.get(pod).copied().unwrap_or(0);
            request.saturating_mul((*percent).max(100)) / 100
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "upstream divides floats, and so do we")]
fn share(value: i64, of: i64) -> f64 {
    value as f64 / of as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a cast saturates"
)]
fn times(ratio: f64, count: usize) -> i32 {
    (ratio * count as f64).ceil() as i32
}
