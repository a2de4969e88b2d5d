//! How a message to a browser looks: a head, JSON, and columns of pods, 24 bytes a pod.
//!
//! Little-endian throughout. `u8 kind` (1 whole, 2 changes), three bytes of padding, `u32` pods, `f64` revision (exact
//! below 2^53), `u32` bytes of JSON, the JSON `{"texts": [...], "nodes": {name: node or null}}` padded with spaces to
//! four bytes, and then one column after another: row, node, namespace, owner and created as `u32`, restarts as `u16`,
//! phase and flags as `u8`. So a browser reads columns as typed arrays without copying.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::{
    board::{Difference, Row},
    projection::Node,
};

const WHOLE: u8 = 1;
const CHANGES: u8 = 2;
/// Bytes before the JSON.
const HEAD: usize = 20;
/// Bytes of one pod.
const POD: usize = 24;

#[derive(Serialize)]
struct Texts<'a> {
    texts: &'a [Box<str>],
    nodes: BTreeMap<&'a str, Option<&'a Node>>,
}

/// The message that tells of `difference`.
#[must_use]
pub fn encode(difference: &Difference) -> Bytes {
    let Difference {
        is_whole,
        revision,
        texts,
        rows,
        nodes,
        position: _,
    } = difference;
    let texts = Texts {
        texts,
        nodes: nodes
            .iter()
            .map(|(name, node)| (&**name, node.as_ref()))
            .collect(),
    };
    // Texts and numbers: nothing that JSON cannot hold.
    let mut json = serde_json::to_vec(&texts).unwrap_or_default();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut message = Vec::with_capacity(HEAD + json.len() + rows.len() * POD);
    message.extend_from_slice(&[if *is_whole { WHOLE } else { CHANGES }, 0, 0, 0]);
    message.extend_from_slice(&(rows.len() as u32).to_le_bytes());
    message.extend_from_slice(&(*revision as f64).to_le_bytes());
    message.extend_from_slice(&(json.len() as u32).to_le_bytes());
    message.extend_from_slice(&json);
    for column in [
        |row: &Row| row.row,
        |row: &Row| row.node,
        |row: &Row| row.namespace,
        |row: &Row| row.owner,
        |row: &Row| row.created,
    ] {
        rows.iter()
            .for_each(|row| message.extend_from_slice(&column(row).to_le_bytes()));
    }
    rows.iter()
        .for_each(|row| message.extend_from_slice(&row.restarts.to_le_bytes()));
    message.extend(rows.iter().map(|row| row.phase));
    message.extend(rows.iter().map(|row| row.flags));
    message.into()
}

#[cfg(test)]
mod tests {
    use coracle_runtime::Key;

    use super::*;
    use crate::live::{board::Board, projection::Pod};

    #[test]
    fn a_message_is_24_bytes_a_pod_and_a_small_head() {
        let mut board = Board::default();
        for number in 0..1_000 {
            let pod = Pod {
                node: "node-1".into(),
                owner: "Deployment/web".into(),
                created: number,
                restarts: 7,
                phase: 1,
                flags: 3,
            };
            board.pod_changed(&Key::new("default", &format!("web-{number}")), Some(&pod));
        }
        let message = encode(&board.since(None, 42));
        assert_eq!(message[0], WHOLE);
        assert_eq!(message[4..8], 1_000_u32.to_le_bytes());
        assert_eq!(message[8..16], 42_f64.to_le_bytes());
        let json = u32::from_le_bytes(message[16..20].try_into().unwrap()) as usize;
        assert_eq!(json % 4, 0);
        let texts: serde_json::Value = serde_json::from_slice(&message[HEAD..HEAD + json]).unwrap();
        assert_eq!(
            texts["texts"],
            serde_json::json!(["", "node-1", "default", "Deployment/web"])
        );
        assert_eq!(message.len(), HEAD + json + 1_000 * POD);
        assert_eq!(message[message.len() - 1], 3);
    }
}
