//! Prefers nodes that have the pod's images already, where nodes tell of their images.

use crate::{
    framework::{Candidate, CycleState, MAX_SCORE, Scope, Score},
    requirements::Requirements,
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

/// Below this much in all, images are no reason.
const MIN_BYTES: i64 = 23 * 1_000 * 1_000;
/// For each container; more is no better.
const MAX_CONTAINER_BYTES: i64 = 1_000 * 1_000 * 1_000;

/// Sizes of images on nodes, less where few nodes have them so that pods do not crowd there.
pub struct ImageLocality;

/// An image of the pod that some node has.
#[derive(Debug)]
pub struct Image {
    name: Box<str>,
    /// The share of nodes that have it.
    share: f64,
}

impl Score for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn weight(&self) -> i64 {
        1
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.images.is_empty()
    }

    fn pre_score(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        _: &[NodeIndex],
        state: &mut CycleState,
    ) -> bool {
        if !snapshot.has_images() {
            return false;
        }
        for name in &requirements.images {
            let nodes = snapshot.nodes_with_image(name);
            if nodes > 0 {
                state.images.push(Image {
                    name: name.clone(),
                    share: nodes as f64 / snapshot.len() as f64,
                });
            }
        }
        !state.images.is_empty()
    }

    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let images = &row.node().images;
        let bytes: i64 = (candidate.state.images.iter())
            .filter_map(|image| {
                let at = images.binary_search_by(|(name, _)| name.cmp(&image.name)).ok()?;
                Some((images[at].1 as f64 * image.share) as i64)
            })
            .sum();
        let max = MAX_CONTAINER_BYTES * candidate.requirements.images.len() as i64;
        MAX_SCORE * (bytes.clamp(MIN_BYTES, max) - MIN_BYTES) / (max - MIN_BYTES)
    }
}
