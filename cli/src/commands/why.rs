//! `coracle why POD`: what every scheduling plugin says of every node, and what would let the pod fit.

use std::process::ExitCode;

use anyhow::Context;
use comfy_table::{Table, presets};
use coracle_scheduler::why::{self, Explanation};
use coracle_service::Env;

use crate::{
    args::{Format, Why},
    cluster::Cluster,
    output, process,
};

pub async fn run(args: Why) -> anyhow::Result<ExitCode> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let api = cluster.client(&cluster.memory()?.server, &env)?;
    let configuration = process::scheduler::configuration(args.config.as_deref())?;
    let explanation = env
        .transport_clock
        .timeout(
            why::READ_TIMEOUT,
            why::read(&api, configuration.profiles(), &args.namespace, &args.pod),
        )
        .await
        .context("read the cluster: no answer in 30 s")??;
    match args.output {
        Format::Json => output::data(&format!("{}\n", serde_json::to_string_pretty(&explanation)?)),
        Format::Text => output::data(&text(&explanation)),
    }
    let fits = explanation.node.is_some();
    Ok(if fits {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.message);
    if !explanation.nodes.is_empty() {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(["NODE", "PLUGIN", "SAYS"]);
        for row in &explanation.nodes {
            let mut name = row.node.clone();
            let (no, yes): (Vec<_>, Vec<_>) =
                (row.answers.iter()).partition(|answer| !answer.reasons.is_empty());
            for answer in no {
                table.add_row([
                    std::mem::take(&mut name),
                    answer.plugin.to_owned(),
                    answer.reasons.join(", "),
                ]);
            }
            let plugins: Vec<&str> = yes.iter().map(|answer| answer.plugin).collect();
            if !plugins.is_empty() {
                table.add_row([name, plugins.join(" "), "yes".to_owned()]);
            }
        }
        text.push_str(&format!("\n{}\n", table.trim_fmt()));
    }
    if !explanation.changes.is_empty() {
        text.push_str("\nEach of these alone would let it fit:\n");
        for change in &explanation.changes {
            text.push_str(&format!("  {} (it would get {})\n", change.change, change.node));
        }
    }
    text
}
