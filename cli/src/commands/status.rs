//! `coracle status`.

use anyhow::bail;
use comfy_table::{Table, presets};

use crate::{
    args::{Format, Status},
    cluster::Cluster,
    output,
    supervisor::control::{self, Answer, Ask},
};

pub async fn run(args: &Status) -> anyhow::Result<()> {
    let cluster = Cluster::new(&args.cluster)?;
    let Answer::Processes { processes, .. } = control::ask(&cluster, &Ask::Status).await? else {
        bail!("ask the supervisor: it gave another answer; is it of the same version?")
    };
    if args.output == Format::Json {
        output::data(&format!("{}\n", serde_json::to_string_pretty(&processes)?));
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_header(["NAME", "PID", "ADDRESS", "RESTARTS", "HEALTH"]);
    for process in processes {
        let pid = if process.pid == 0 {
            "-".to_owned()
        } else {
            process.pid.to_string()
        };
        let address = if process.address.is_empty() {
            "-".to_owned()
        } else {
            process.address
        };
        table.add_row([
            process.name,
            pid,
            address,
            process.restarts.to_string(),
            process.health,
        ]);
    }
    output::data(&format!("{}\n", table.trim_fmt()));
    Ok(())
}
