//! A compose project of a test's own: its containers, kubectl against its published port, and its end.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use coracle_service::{Env, pki::Credentials};
use coracle_testing::eventually;
use serde_json::Value;
use tokio::process::Command;

use crate::{access::Access, checkout};

/// For whatever containers have to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A compose project of its own; taken down, volumes and all, when the test ends.
pub struct Project {
    name: String,
    port: u16,
    dir: PathBuf,
    env: Env,
}

impl Project {
    /// Starts every container from the image `coracle:dev`, which has to be there, and waits for the administrator's
    /// kubeconfig.
    ///
    /// # Errors
    /// Compose's.
    pub async fn up(env: Env) -> anyhow::Result<Self> {
        let probe = env.network.listen(([127, 0, 0, 1], 0).into()).await?;
        let port = probe.local_addr()?.port();
        let name = format!("coracletest{:08x}", env.random.next_u64() as u32);
        let project = Self {
            dir: std::env::temp_dir().join(&name),
            name,
            port,
            env,
        };
        drop(probe);
        std::fs::create_dir_all(&project.dir)?;
        // The image is there: nothing may be built or pulled.
        project.compose(&["up", "-d", "--no-build"]).await?;
        let kubeconfig = eventually("a kubeconfig", PATIENCE, || {
            project.exec("apiserver", &["kubeconfig"])
        })
        .await?;
        std::fs::write(project.dir.join("kubeconfig"), kubeconfig)?;
        Ok(project)
    }

    /// The administrator's access through the published port.
    ///
    /// # Errors
    /// Where the kubeconfig cannot be read.
    pub async fn access(&self) -> anyhow::Result<Access> {
        let text = self
            .kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"])
            .await?;
        let config: Value = serde_json::from_str(&text)?;
        let pem = |value: &Value| {
            let text = value.as_str().context("read the kubeconfig")?;
            Ok::<_, anyhow::Error>(String::from_utf8(base64_decode(text)?)?)
        };
        let user = &config["users"][0]["user"];
        let credentials = Credentials {
            ca_pem: pem(&config["clusters"][0]["cluster"]["certificate-authority-data"])?,
            certificate_pem: pem(&user["client-certificate-data"])?,
            key_pem: pem(&user["client-key-data"])?,
        };
        Access::new(&format!("127.0.0.1:{}", self.port), &self.env, &credentials)
    }

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

    /// Runs a command of compose and returns what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub async fn compose(&self, arguments: &[&str]) -> anyhow::Result<String> {
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

    /// Runs `coracle` inside a service's container.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub async fn exec(&self, service: &str, arguments: &[&str]) -> anyhow::Result<String> {
        self.compose(&[&["exec", "-T", service, "/coracle"], arguments].concat())
            .await
    }

    /// Runs kubectl against the published port.
    ///
    /// # Errors
    /// kubectl's.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
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

    /// Waits until exactly `wanted` nodes are Ready.
    ///
    /// # Errors
    /// The nodes, where they are not within [`PATIENCE`].
    pub async fn ready_nodes(&self, wanted: usize) -> anyhow::Result<()> {
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

    /// One value of objects, as kubectl's JSONPath finds it.
    ///
    /// # Errors
    /// kubectl's.
    pub async fn value(&self, objects: &[&str], path: &str) -> anyhow::Result<String> {
        let output = format!("jsonpath={path}");
        self.kubectl(&[&["get"], objects, &["-o", &output]].concat())
            .await
    }

    /// How often the engine has restarted a service's container.
    ///
    /// # Errors
    /// The engine's.
    pub async fn restarts(&self, service: &str) -> anyhow::Result<u64> {
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

fn base64_decode(text: &str) -> anyhow::Result<Vec<u8>> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(text).context("read base64")
}

/// The command that is docker compose here: `CORACLE_COMPOSE`, by default the plugin.
#[allow(
    clippy::disallowed_methods,
    reason = "the environment says what compose is here"
)]
fn compose_words() -> Vec<String> {
    let words = std::env::var("CORACLE_COMPOSE").unwrap_or_else(|_| "docker compose".to_owned());
    words.split_whitespace().map(str::to_owned).collect()
}

/// Whether there is an engine, compose, and the image `coracle:dev`.
pub async fn usable() -> bool {
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
