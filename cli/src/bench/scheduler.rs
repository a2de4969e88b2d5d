//! The scheduler alone: decisions on a made-up cluster, nothing written.

use coracle_scheduler::bench::{self, Config, Wishes};
use coracle_service::Env;

use super::report::Report;

/// Measures with one owner, with many that share templates, with as many templates as owners, and with wishes.
pub fn run(nodes: usize, pods: usize, env: &Env, report: &mut Report) {
    for (what, owners, templates, wishes) in [
        ("one owner", 1, 1, Wishes::None),
        ("1,000 owners, 10 templates", 1_000, 10, Wishes::None),
        ("1,000 owners, 1,000 templates", 1_000, 1_000, Wishes::None),
        ("10 owners, spread over zones", 10, 10, Wishes::Spread),
        ("100 owners, a pod a node", 100, 10, Wishes::Apart),
    ] {
        let config = Config {
            nodes,
            pods,
            owners,
            templates,
            wishes,
            ..Config::default()
        };
        let measured = bench::run(config, &env.transport_clock);
        report.row(&format!("pods decided, {what}"), measured.pods_per_second(), "/s");
        if measured.unschedulable > 0 {
            let without = measured.unschedulable as f64;
            report.row(&format!("pods without a node, {what}"), without, "");
        }
    }
}
