//! The cluster in containers: `docker compose up`, kubectl from outside, pods asked from inside, containers killed both
//! ways, nodes added. Needs a running engine and the image `coracle:dev`; `.ci/compose` sees to both.
#![allow(
    clippy::disallowed_methods,
    reason = "where the engine is, the environment says"
)]

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use coracle_service::Env;
use coracle_testing::eventually;
use coracle_tests::{checkout, example, in_ci};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(120);

/// A compose project of its own; taken down, volumes and all, when the test ends.
struct Project {
    name: String,
    port: u16,
    dir: PathBuf,
}

impl Project {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut words = compose_words();
        let mut command = Command::new(words.remove(0));
        command
            .args(words)
            .args(["-p", &self.name])
            .args(arguments)
            .current_dir(checkout())
            .env("CORACLE_PORT", self.port.to_string())
            .kill_on_drop(true);
        command
    }

    async fn compose(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .command(arguments)
            .output()
            .await
            .context("run docker compose")?;
        if !output.status.success() {
            bail!(
                "compose {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn exec(&self, service: &str, arguments: &[&str]) -> anyhow::Result<String> {
        self.compose(&[&["exec", "-T", service, "/coracle"], arguments].concat())
            .await
    }

    async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.dir.join("kubeconfig"))
            .arg("--cache-dir")
            .arg(self.dir.join("cache"))
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .context("run kubectl")?;
        ensure!(
            output.status.success(),
            "kubectl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn ready_nodes(&self, wanted: usize) -> anyhow::Result<()> {
        eventually(&format!("{wanted} Ready nodes"), PATIENCE, || async {
            let nodes = self.kubectl(&["get", "nodes", "--no-headers"]).await?;
            let ready = nodes
                .lines()
                .filter(|line| line.split_whitespace().nth(1) == Some("Ready"))
                .count();
            ensure!(ready == wanted, "nodes:\n{nodes}");
            Ok(())
        })
        .await
    }

    async fn count(&self, from: &str) -> anyhow::Result<u64> {
        eventually("the counter to answer", PATIENCE, || async {
            let ip = self
                .kubectl(&[
                    "get",
                    "pods",
                    "-l",
                    "app=counter",
                    "-o",
                    "jsonpath={.items[0].status.podIP}",
                ])
                .await?;
            let body = self.exec(from, &["fetch", &format!("http://{ip}:8080/")]).await?;
            body.trim().parse().with_context(|| format!("read {body:?}"))
        })
        .await
    }

    async fn restarts(&self, service: &str) -> anyhow::Result<u64> {
        let id = self.compose(&["ps", "-q", service]).await?;
        let output = Command::new("docker")
            .args(["inspect", "-f", "{{.RestartCount}}", id.trim()])
            .output()
            .await?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .with_context(|| format!("count restarts of {service}"))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut down = self.command(&["down", "-v", "--remove-orphans", "-t", "1"]);
        let _ = down.as_std_mut().output();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The command that is docker compose here: `CORACLE_COMPOSE`, by default the plugin.
fn compose_words() -> Vec<String> {
    let words = std::env::var("CORACLE_COMPOSE").unwrap_or_else(|_| "docker compose".to_owned());
    words.split_whitespace().map(str::to_owned).collect()
}

async fn usable() -> bool {
    let image = Command::new("docker")
        .args(["image", "inspect", "coracle:dev"])
        .output()
        .await;
    let mut words = compose_words();
    let compose = Command::new(words.remove(0))
        .args(words)
        .arg("version")
        .output()
        .await;
    [image, compose]
        .into_iter()
        .all(|outcome| outcome.is_ok_and(|output| output.status.success()))
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_run_the_same_cluster() -> anyhow::Result<()> {
    let wanted = in_ci() && std::env::var_os("DOCKER_HOST").is_some();
    if !usable().await {
        ensure!(
            !wanted,
            "CI has an engine, but no image coracle:dev or no compose"
        );
        eprintln!("SKIPPED containers_run_the_same_cluster: no engine with an image coracle:dev and compose");
        return Ok(());
    }
    let env = Env::host();
    let free = env
        .network
        .listen(([127, 0, 0, 1], 0).into())
        .await?
        .local_addr()?
        .port();
    let name = format!("coracletest{:08x}", env.random.next_u64() as u32);
    let project = Project {
        dir: std::env::temp_dir().join(&name),
        name,
        port: free,
    };
    std::fs::create_dir_all(&project.dir)?;
    // The image is there: nothing may be built or pulled.
    project.compose(&["up", "-d", "--no-build"]).await?;
    let kubeconfig = eventually("a kubeconfig", PATIENCE, || {
        project.exec("apiserver", &["kubeconfig"])
    })
    .await?;
    std::fs::write(project.dir.join("kubeconfig"), kubeconfig)?;
    project.ready_nodes(3).await?;

    project
        .kubectl(&["apply", "-f", &example("simple-deployment.yaml")])
        .await?;
    project
        .kubectl(&[
            "rollout",
            "status",
            "deployment/nginx-deployment",
            "--timeout=60s",
        ])
        .await?;
    let pods = project
        .kubectl(&[
            "get",
            "pods",
            "-l",
            "app=nginx",
            "-o",
            "jsonpath={.items[*].status.podIP}",
        ])
        .await?;
    for ip in pods.split_whitespace() {
        let body = project
            .exec("node-1", &["fetch", &format!("http://{ip}/")])
            .await?;
        ensure!(body.contains("nginx:1.14.2"), "answer: {body}");
    }

    // A real SIGKILL from inside is healed by the restart policy, and the data is there.
    project
        .kubectl(&["apply", "-f", &example("pv-pvc-counter.yaml")])
        .await?;
    project
        .kubectl(&[
            "wait",
            "--for=condition=Available",
            "deployment/counter",
            "--timeout=60s",
        ])
        .await?;
    let mut last = project.count("node-1").await?;
    for service in ["storage", "apiserver"] {
        let before = project.restarts(service).await?;
        project.exec(service, &["kill", "--self"]).await.ok();
        eventually(&format!("{service} to be restarted"), PATIENCE, || async {
            ensure!(project.restarts(service).await? > before, "not yet");
            Ok(())
        })
        .await?;
        let count = project.count("node-2").await?;
        ensure!(
            count > last,
            "after the death of {service} the counter said {count}, it was {last}"
        );
        last = count;
    }

    // `compose kill` is a manual stop: nothing is scheduled until `up -d` brings the scheduler back.
    project.compose(&["kill", "scheduler"]).await?;
    project
        .kubectl(&["scale", "deployment/nginx-deployment", "--replicas=4"])
        .await?;
    eventually("a pod that waits", PATIENCE, || async {
        let pods = project
            .kubectl(&["get", "pods", "-l", "app=nginx", "--no-headers"])
            .await?;
        ensure!(pods.contains("Pending"), "pods:\n{pods}");
        Ok(())
    })
    .await?;
    ensure!(
        project.restarts("scheduler").await.unwrap_or(0) == 0,
        "a manual stop was undone"
    );
    project
        .compose(&["up", "-d", "--no-build", "--scale", "node=1"])
        .await?;
    project
        .kubectl(&[
            "rollout",
            "status",
            "deployment/nginx-deployment",
            "--timeout=60s",
        ])
        .await?;
    project.ready_nodes(4).await
}
