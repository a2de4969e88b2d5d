//! Tests of `node_ipam`.

use std::{net::Ipv4Addr, sync::Arc};

use serde_json::json;

use super::{
    check,
    plan::{Ranges, Snapshot, plan},
};
use crate::{
    testing::{lines, view},
    view::Node,
};

fn node(name: &str, cidr: &str) -> Arc<Node> {
    view(json!({"metadata": {"name": name}, "spec": {"podCIDR": cidr}}))
}

fn assigned(nodes: Vec<Arc<Node>>, cidrs: &[(Ipv4Addr, u8)], mask: u8) -> Vec<String> {
    let plan = plan(&Snapshot {
        nodes,
        ranges: Ranges::new(cidrs, mask),
    });
    let told = plan.notes.iter().map(|note| note.reason.to_owned());
    lines(&plan).into_iter().chain(told).collect()
}

const POD_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 244, 0, 0), 16);

#[test]
fn every_node_gets_the_lowest_free_range() {
    let nodes = vec![node("a", "10.244.1.0/24"), node("b", ""), node("c", "")];
    assert_eq!(
        assigned(nodes, &[POD_RANGE], 24),
        [
            r#"patch nodes b {"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]}}"#,
            r#"patch nodes c {"spec":{"podCIDR":"10.244.2.0/24","podCIDRs":["10.244.2.0/24"]}}"#,
        ]
    );
}

#[test]
fn ranges_that_run_out_go_on_in_the_next_and_then_say_so() {
    let small = [(Ipv4Addr::new(10, 1, 0, 0), 24), (Ipv4Addr::new(10, 2, 0, 7), 24)];
    let found = assigned(vec![node("a", ""), node("b", ""), node("c", "")], &small, 24);
    assert!(
        found[0].contains("10.1.0.0/24") && found[1].contains("10.2.0.0/24"),
        "{found:?}"
    );
    assert_eq!(found[2], "CIDRNotAvailable");
}

#[test]
fn the_largest_range_does_not_overflow() {
    let all = Ranges::new(&[(Ipv4Addr::UNSPECIFIED, 0)], 24);
    let found = plan(&Snapshot {
        nodes: vec![node("a", "0.0.0.0/24"), node("b", "")],
        ranges: all,
    });
    assert!(lines(&found)[0].contains("0.0.1.0/24"));
}

#[test]
fn ranges_must_hold_a_node() {
    assert!(check(&[POD_RANGE], 24).is_ok());
    assert!(check(&[POD_RANGE], 15).is_err());
    assert!(check(&[POD_RANGE], 31).is_err());
    assert!(check(&[], 24).is_err());
}
