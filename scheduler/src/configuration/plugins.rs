//! Which plugins a profile uses, what they weigh, and their arguments.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Error, refuse};
use crate::{
    framework::{Filter, Score},
    plugins::{
        inter_pod_affinity::InterPodAffinity,
        least_allocated::{LeastAllocated, Weights},
        most_allocated::MostAllocated,
        requested_to_capacity::{MAX_SHAPE_SCORE, RequestedToCapacity},
        topology_spread::TopologySpread,
    },
    preemption::DefaultPreemption,
    profile::{Profile, Weighted},
    requirements::SpreadConstraint,
};

/// Switches by phase. The phases that are missing have nothing that could be switched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PluginSets {
    multi_point: PluginSet,
    pre_enqueue: PluginSet,
    filter: PluginSet,
    post_filter: PluginSet,
    score: PluginSet,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PluginSet {
    enabled: Vec<Plugin>,
    disabled: Vec<Plugin>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    #[serde(default)]
    weight: Option<i64>,
}

impl PluginSet {
    fn disables(&self, name: &str) -> bool {
        let lists = |plugins: &[Plugin], name: &str| plugins.iter().any(|plugin| plugin.name == name);
        lists(&self.disabled, name) || (lists(&self.disabled, "*") && !lists(&self.enabled, name))
    }

    fn weight(&self, name: &str) -> Option<i64> {
        self.enabled.iter().find(|plugin| plugin.name == name)?.weight
    }
}

/// Upstream's defaults that have nothing to do here beside what every profile has.
const IMPLIED: [&str; 4] = ["PrioritySort", "DefaultBinder", "NodeName", "*"];

impl PluginSets {
    pub(super) fn apply(&self, profile: &mut Profile) -> Result<(), Error> {
        let Self {
            multi_point,
            pre_enqueue,
            filter,
            post_filter,
            score,
        } = self;
        for (phase, set) in [
            ("multiPoint", multi_point),
            ("preEnqueue", pre_enqueue),
            ("filter", filter),
            ("postFilter", post_filter),
            ("score", score),
        ] {
            for plugin in set.enabled.iter().chain(&set.disabled) {
                if !is_known(profile, &plugin.name) {
                    return refuse(format!(
                        "{phase} names a plugin {:?} that does not exist",
                        plugin.name
                    ));
                }
                if plugin
                    .weight
                    .is_some_and(|weight| !(0..=100_000).contains(&weight))
                {
                    return refuse(format!("the weight of {} is out of range", plugin.name));
                }
            }
        }
        let is_off = |set: &PluginSet, name: &str| set.disables(name) || multi_point.disables(name);
        profile.gates.retain(|plugin| !is_off(pre_enqueue, plugin.name()));
        profile.filters.retain(|plugin| !is_off(filter, plugin.name()));
        profile
            .scores
            .retain(|score_of| !is_off(score, score_of.plugin.name()));
        if is_off(post_filter, "DefaultPreemption") {
            profile.preemption = None;
        }
        for score_of in &mut profile.scores {
            let name = score_of.plugin.name();
            let weight = score.weight(name).or(multi_point.weight(name));
            // Zero is what the field says where it was left out.
            score_of.weight = weight.filter(|weight| *weight > 0).unwrap_or(score_of.weight);
        }
        Ok(())
    }
}

fn is_known(profile: &Profile, name: &str) -> bool {
    IMPLIED.contains(&name)
        || name == "DefaultPreemption"
        || profile.gates.iter().any(|plugin| plugin.name() == name)
        || profile.filters.iter().any(|plugin| plugin.name() == name)
        || profile.scores.iter().any(|score| score.plugin.name() == name)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct FitArguments {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    scoring_strategy: Option<Strategy>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Strategy {
    r#type: String,
    resources: Vec<Resource>,
    requested_to_capacity_ratio: Ratio,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    name: Box<str>,
    #[serde(default)]
    weight: i64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ratio {
    shape: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    utilization: i64,
    score: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AffinityArguments {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    hard_pod_affinity_weight: Option<i64>,
    ignore_preferred_terms_of_existing_pods: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SpreadArguments {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    default_constraints: Vec<Constraint>,
    defaulting_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Constraint {
    max_skew: i64,
    topology_key: Box<str>,
    when_unsatisfiable: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PreemptionArguments {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    min_candidate_nodes_percentage: Option<usize>,
    min_candidate_nodes_absolute: Option<usize>,
}

/// Gives a plugin its arguments.
pub(super) fn configure(profile: &mut Profile, name: &str, args: &Value) -> Result<(), Error> {
    match name {
        "NodeResourcesFit" => {
            let args: FitArguments = read(name, args)?;
            if let Some(strategy) = args.scoring_strategy {
                replace_score(profile, strategy.build()?);
            }
        }
        "InterPodAffinity" => {
            let args: AffinityArguments = read(name, args)?;
            let weight = args.hard_pod_affinity_weight.unwrap_or(1);
            if !(0..=100).contains(&weight) {
                return refuse("hardPodAffinityWeight is not in 0 to 100");
            }
            let plugin = || InterPodAffinity {
                hard_pod_affinity_weight: weight,
                ignore_preferred_terms_of_existing_pods: args.ignore_preferred_terms_of_existing_pods,
            };
            replace_score(profile, Box::new(plugin()));
        }
        "PodTopologySpread" => {
            let args: SpreadArguments = read(name, args)?;
            let plugin = || args.build();
            replace_score(profile, Box::new(plugin()?));
            replace_filter(profile, Box::new(plugin()?));
        }
        "DefaultPreemption" => {
            let args: PreemptionArguments = read(name, args)?;
            let defaults = DefaultPreemption::default();
            profile.preemption = Some(DefaultPreemption {
                min_candidate_nodes_percentage: args
                    .min_candidate_nodes_percentage
                    .unwrap_or(defaults.min_candidate_nodes_percentage)
                    .min(100),
                min_candidate_nodes_absolute: args
                    .min_candidate_nodes_absolute
                    .unwrap_or(defaults.min_candidate_nodes_absolute),
            });
        }
        other => return refuse(format!("the plugin {other:?} takes no arguments here")),
    }
    Ok(())
}

fn read<T: DeserializeOwned + Default>(name: &str, args: &Value) -> Result<T, Error> {
    if args.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(args.clone()).map_err(|error| Error(format!("arguments of {name}: {error}")))
}

fn replace_score(profile: &mut Profile, plugin: Box<dyn Score>) {
    for score in &mut profile.scores {
        if score.plugin.name() == plugin.name() {
            *score = Weighted {
                weight: score.weight,
                plugin,
            };
            return;
        }
    }
}

fn replace_filter(profile: &mut Profile, plugin: Box<dyn Filter>) {
    if let Some(filter) = (profile.filters.iter_mut()).find(|filter| filter.name() == plugin.name()) {
        *filter = plugin;
    }
}

impl Strategy {
    fn build(self) -> Result<Box<dyn Score>, Error> {
        let mut weights = Weights::default();
        if !self.resources.is_empty() {
            let weighed =
                (self.resources.into_iter()).map(|resource| (resource.name, resource.weight.max(1)));
            weights = Weights(weighed.collect());
        }
        match self.r#type.as_str() {
            "" | "LeastAllocated" => Ok(Box::new(LeastAllocated { weights })),
            "MostAllocated" => Ok(Box::new(MostAllocated { weights })),
            "RequestedToCapacityRatio" => {
                let shape: Box<[(i64, i64)]> = (self.requested_to_capacity_ratio.shape.iter())
                    .map(|point| (point.utilization, point.score))
                    .collect();
                let is_rising = shape.windows(2).all(|pair| pair[0].0 < pair[1].0);
                let is_within = |(percent, score): &(i64, i64)| {
                    (0..=100).contains(percent) && (0..=MAX_SHAPE_SCORE).contains(score)
                };
                if shape.is_empty() || !is_rising || !shape.iter().all(is_within) {
                    return refuse(
                        "the shape of RequestedToCapacityRatio is not a rising list of utilizations 0 to 100 with scores 0 to 10",
                    );
                }
                Ok(Box::new(RequestedToCapacity { shape, weights }))
            }
            other => refuse(format!("scoring strategy {other:?} does not exist")),
        }
    }
}

impl SpreadArguments {
    fn build(&self) -> Result<TopologySpread, Error> {
        match self.defaulting_type.as_deref() {
            None | Some("System") if self.default_constraints.is_empty() => Ok(TopologySpread::default()),
            Some("System") => refuse("defaultConstraints and defaultingType System exclude each other"),
            None | Some("List") => {
                let constraint = |raw: &Constraint| {
                    let is_hard = match raw.when_unsatisfiable.as_str() {
                        "DoNotSchedule" => true,
                        "ScheduleAnyway" => false,
                        other => return refuse(format!("whenUnsatisfiable {other:?} does not exist")),
                    };
                    if raw.max_skew < 1 || raw.topology_key.is_empty() {
                        return refuse("a default constraint needs maxSkew above 0 and a topologyKey");
                    }
                    Ok(SpreadConstraint {
                        topology_key: raw.topology_key.clone(),
                        max_skew: raw.max_skew,
                        is_hard,
                        min_domains: 1,
                        pods: None,
                        honors_affinity: true,
                        honors_taints: false,
                    })
                };
                let defaults: Result<_, Error> = self.default_constraints.iter().map(constraint).collect();
                Ok(TopologySpread {
                    defaults: defaults?,
                    is_system: false,
                })
            }
            Some(other) => refuse(format!("defaultingType {other:?} does not exist")),
        }
    }
}
