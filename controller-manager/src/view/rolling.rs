//! How the pods of a workload are replaced by those of another template: what Deployments, DaemonSets and StatefulSets
//! say in the same words.

use coracle_api::view::or_default;
use serde::Deserialize;

/// Revisions that StatefulSets and DaemonSets keep where the spec does not say; the API's default.
pub(super) const REVISION_HISTORY: i32 = 10;

/// A strategy as it is written; what is absent means something else in each kind.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StrategyJson {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(super) rolling_update: RollingJson,
}

/// Its `rollingUpdate`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RollingJson {
    #[serde(deserialize_with = "or_default")]
    pub(super) partition: i32,
    pub(super) max_surge: Option<IntOrString>,
    pub(super) max_unavailable: Option<IntOrString>,
}

/// A number, or a share of another number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum IntOrString {
    Int(i32),
    String(Box<str>),
}

impl IntOrString {
    pub(crate) fn percent(percent: i32) -> Self {
        Self::String(format!("{percent}%").into())
    }

    /// The number, or its share of `total`, rounded as asked; zero where the text is no percentage.
    pub(crate) fn resolve(&self, total: i32, round_up: bool) -> i32 {
        match self {
            Self::Int(number) => *number,
            Self::String(text) => {
                let percent = text
                    .strip_suffix('%')
                    .and_then(|digits| digits.parse::<i64>().ok())
                    .unwrap_or(0);
                let share = percent * i64::from(total);
                let rounded = if round_up {
                    (share + 99).div_euclid(100)
                } else {
                    share.div_euclid(100)
                };
                i32::try_from(rounded).unwrap_or(i32::MAX)
            }
        }
    }
}
