//! A profile: the plugins in use for pods of one schedulerName, in the order in which they are asked.

use crate::{
    framework::{Filter, PreEnqueue, Scope, Score},
    plugins,
    preemption::DefaultPreemption,
    requirements::Requirements,
};

/// A score plugin and its share in the sum.
pub struct Weighted {
    /// The plugin.
    pub plugin: Box<dyn Score>,
    /// Its factor.
    pub weight: i64,
}

impl Weighted {
    /// With the plugin's own weight.
    #[must_use]
    pub fn new(plugin: impl Score + 'static) -> Self {
        Self {
            weight: plugin.weight(),
            plugin: Box::new(plugin),
        }
    }
}

/// The plugins in use.
pub struct Profile {
    /// spec.schedulerName of the pods that it is for; events carry it too.
    pub scheduler_name: Box<str>,
    /// All must admit a pod before it may enter the queue.
    pub gates: Vec<Box<dyn PreEnqueue>>,
    /// All must admit; the first that does not gives the reason.
    pub filters: Vec<Box<dyn Filter>>,
    /// Their weighted sum decides.
    pub scores: Vec<Weighted>,
    /// What is tried where no node admits the pod.
    pub preemption: Option<DefaultPreemption>,
    /// How many of the nodes are looked at for classes whose answers are not remembered; zero for upstream's
    /// adaptive share.
    pub percentage_of_nodes_to_score: u8,
}

impl Default for Profile {
    /// Upstream's default plugins, order and weights.
    fn default() -> Self {
        Self {
            scheduler_name: "default-scheduler".into(),
            gates: vec![Box::new(plugins::scheduling_gates::SchedulingGates)],
            filters: vec![
                Box::new(plugins::node_unschedulable::NodeUnschedulable),
                Box::new(plugins::taint_toleration::TaintToleration),
                Box::new(plugins::node_affinity::NodeAffinity),
                Box::new(plugins::node_ports::NodePorts),
                Box::new(plugins::resources_fit::ResourcesFit),
                Box::new(plugins::volume_restrictions::VolumeRestrictions),
                Box::new(plugins::node_volume_limits::NodeVolumeLimits),
                Box::new(plugins::volume_binding::VolumeBinding),
                Box::new(plugins::volume_zone::VolumeZone),
                Box::new(plugins::topology_spread::TopologySpread::default()),
                Box::new(plugins::inter_pod_affinity::InterPodAffinity::default()),
            ],
            scores: vec![
                Weighted::new(plugins::taint_toleration::TaintToleration),
                Weighted::new(plugins::node_affinity::NodeAffinity),
                Weighted::new(plugins::least_allocated::LeastAllocated::default()),
                Weighted::new(plugins::balanced_allocation::BalancedAllocation),
                Weighted::new(plugins::topology_spread::TopologySpread::default()),
                Weighted::new(plugins::inter_pod_affinity::InterPodAffinity::default()),
                Weighted::new(plugins::image_locality::ImageLocality),
            ],
            preemption: Some(DefaultPreemption::default()),
            percentage_of_nodes_to_score: 0,
        }
    }
}

impl Profile {
    /// The filters that have something to say about such pods.
    pub fn filters_for<'a>(&'a self, requirements: &'a Requirements) -> impl Iterator<Item = &'a dyn Filter> {
        (self.filters.iter())
            .map(|filter| &**filter)
            .filter(move |filter| filter.applies(requirements))
    }

    /// Those of them that look at one node alone, or those that look further.
    pub fn filters_of<'a>(
        &'a self,
        scope: Scope,
        requirements: &'a Requirements,
    ) -> impl Iterator<Item = &'a dyn Filter> {
        self.filters_for(requirements)
            .filter(move |filter| filter.scope() == scope)
    }
}
