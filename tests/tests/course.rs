//! Types the course: every `sh` block of `docs/course`, a page on a fresh cluster.

use std::path::Path;

use anyhow::{Context, ensure};
use coracle_testing::{Cluster, coracle_binary};
use coracle_tests::{checkout, skip_without_kubectl};
use tokio::process::Command;

/// The page's commands, in order.
fn commands(page: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    Ok(blocks.collect::<Vec<_>>().join("\n"))
}

async fn type_page(name: &str) -> anyhow::Result<()> {
    if skip_without_kubectl(name) {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    let script = format!(
        "set -euo pipefail\ncoracle() {{ {:?} \"$@\" --name=test --data-dir={:?}; }}\n{}",
        coracle_binary()?,
        cluster.dir(),
        commands(&checkout().join("docs/course").join(name))?
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(checkout())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", cluster.dir().join("kubectl-cache"))
        .kill_on_drop(true)
        .output()
        .await
        .context("run bash")?;
    ensure!(
        output.status.success(),
        "{name} failed\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    cluster.stop().await
}

macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                type_page($page).await
            }
        )*

        #[test]
        fn every_page_is_typed() {
            let pages = [$($page),*];
            for entry in std::fs::read_dir(checkout().join("docs/course")).unwrap().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(name == "README.md" || pages.contains(&name.as_str()), "no test types {name}");
            }
        }
    };
}

pages! {
    replicaset: "01-replicaset.md",
    labels_and_selectors: "02-labels-and-selectors.md",
    deployment: "03-deployment.md",
    load: "04-load.md",
    services: "05-services.md",
    new_version: "07-new-version.md",
    another_node: "08-another-node.md",
    update_and_scale: "09-update-and-scale.md",
}
