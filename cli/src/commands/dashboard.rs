//! `coracle dashboard`: a link into the web console that signs in once, as the administrator.
//!
//! The dashboard makes the link's code for whoever proves an identity by certificate; the code is in the link's
//! fragment, which a browser keeps to itself.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use coracle_service::{Env, Identity};
use serde::Deserialize;

use super::fetch;
use crate::{
    args::Dashboard,
    cluster::Cluster,
    output,
    supervisor::{
        self,
        control::{self, Answer, Ask},
    },
};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Programs that open a page in the user's browser, best first.
const OPENERS: &[&str] = if cfg!(target_os = "macos") {
    &["open"]
} else {
    &["xdg-open", "wslview"]
};

#[derive(Deserialize)]
struct Link {
    code: String,
}

pub async fn run(args: &Dashboard) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let server = match &args.server {
        Some(server) => server.clone(),
        None => find(&cluster).await?,
    };
    let code = make_code(&cluster, &server, &env).await?;
    let published = args.published.as_ref().unwrap_or(&server);
    let link = format!("http://{published}/#code={code}");
    if !args.url && open(&link) {
        output::data(&format!("Opened http://{published}/ in your browser.\n"));
    } else {
        output::data(&format!("{link}\n"));
    }
    Ok(())
}

/// Where the dashboard of a running cluster listens.
async fn find(cluster: &Cluster) -> anyhow::Result<String> {
    let Answer::Processes { processes, .. } = control::ask(cluster, &Ask::Status).await? else {
        bail!("ask the supervisor: it gave another answer; is it of the same version?")
    };
    let process = processes
        .iter()
        .find(|process| process.name == "dashboard")
        .context("find the dashboard: this cluster was started with --no-dashboard")?;
    let address: SocketAddr = process.address.parse().with_context(|| {
        format!(
            "find the dashboard: it is {}; try again in a moment",
            process.health
        )
    })?;
    Ok(supervisor::dialable(address).to_string())
}

async fn make_code(cluster: &Cluster, server: &str, env: &Env) -> anyhow::Result<String> {
    let request = fetch::Call {
        url: format!("https://{server}/api/links")
            .parse()
            .with_context(|| format!("read address {server:?}"))?,
        method: http::Method::POST,
        body: String::new(),
        identity: Identity::from_credentials(&cluster.admin()?)?,
    };
    let answer = env
        .transport_clock
        .timeout(TIMEOUT, fetch::call(request, env))
        .await
        .with_context(|| {
            format!(
                "ask the dashboard at {server}: no answer within {} s",
                TIMEOUT.as_secs()
            )
        })??;
    if !answer.status().is_success() {
        bail!(
            "ask the dashboard at {server} for a link: {} {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
        );
    }
    let link: Link = serde_json::from_slice(answer.body()).context("read the dashboard's answer")?;
    Ok(link.code)
}

/// Whether a browser was asked to open the link.
fn open(link: &str) -> bool {
    OPENERS.iter().any(|opener| {
        let opened = std::process::Command::new(opener)
            .arg(link)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        opened.is_ok()
    })
}
