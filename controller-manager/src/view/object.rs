//! An object as its projections read it: metadata, spec and status, each the default where it is absent or null.

use coracle_api::view::or_default;
use serde::{Deserialize, de::IgnoredAny};

use super::{Meta, meta::DeletionCost};

/// An object of which a projection takes `Spec`, `Status` and, of the annotations, `A`.
#[derive(Deserialize)]
#[serde(bound(
    deserialize = "Spec: Default + Deserialize<'de>, Status: Default + Deserialize<'de>, \
                             A: Default + Deserialize<'de>"
))]
pub(super) struct Json<Spec, Status = IgnoredAny, A = DeletionCost> {
    pub(super) metadata: Meta<A>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: Spec,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: Status,
}
