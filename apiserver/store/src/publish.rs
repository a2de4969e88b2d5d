//! Publication: turning judged entries into what readers, watchers and callers get.
//!
//! Called only after the entries are durable. The revision is spliced in here, once, and the resulting bytes
//! are shared by history, the watch cache and the acknowledgement.

use bytes::Bytes;

use crate::judge::{Accepted, Entry};
use crate::splice::splice;
use crate::types::{ChangeKind, Committed, Published, TxnError};

/// The published form of a group's entries, in revision order.
pub(crate) fn published(entries: &[Entry]) -> Vec<Published> {
    let publish = |entry: &Entry| Published {
        revision: entry.revision,
        key: entry.key.clone(),
        kind: match entry.deleted {
            true => ChangeKind::Delete,
            false => ChangeKind::Put {
                created: entry.previous.is_none(),
            },
        },
        json: splice(&entry.value.json, entry.value.splice_at, entry.revision),
        previous_revision: entry.previous,
        attachment: entry.attachment.clone(),
    };
    entries.iter().map(publish).collect()
}

/// What each transaction's caller gets once its group is published.
pub(crate) fn acknowledge(
    verdicts: Vec<Result<Accepted, TxnError>>,
    published: &[Published],
) -> Vec<Result<Committed, TxnError>> {
    let acknowledge = |accepted: Accepted| {
        let values: Vec<Bytes> = published[accepted.entries]
            .iter()
            .map(|p| p.json.clone())
            .collect();
        Committed {
            first_revision: accepted.first_revision,
            values,
        }
    };
    verdicts
        .into_iter()
        .map(|verdict| verdict.map(acknowledge))
        .collect()
}
