//! Merges a cluster into a kubeconfig, as `kind` does, and takes it out again.
//!
//! The file is read as generic data and only entries of this cluster's name are touched, so that whatever else a user
//! keeps there stays. It is locked as client-go locks it and replaced in one step.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_service::{
    Clock,
    pki::{Credentials, write_private},
};
use serde_json::{Map, Value, json};

use crate::{args::KubeconfigChoice, cluster};

/// How long to wait for another program's lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// The file to change; `None` where the user wants none changed.
pub fn chosen(choice: &KubeconfigChoice) -> Option<PathBuf> {
    if choice.none {
        return None;
    }
    let from_environment = || {
        choice
            .kubeconfig_env
            .as_deref()
            .and_then(|list| list.split(':').find(|path| !path.is_empty()))
            .map(PathBuf::from)
    };
    choice
        .path
        .clone()
        .or_else(from_environment)
        .or_else(|| Some(cluster::home_dir()?.join(".kube/config")))
}

/// A kubeconfig with one cluster, user and context, all called `name`.
pub fn document(name: &str, server: &str, credentials: &Credentials) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster_entry(name, server, credentials)],
        "users": [user_entry(name, credentials)],
        "contexts": [context_entry(name)],
        "current-context": name,
        "preferences": {},
    })
}

/// The document as YAML text.
///
/// # Errors
/// Where it cannot be written as YAML.
pub fn to_yaml(document: &Value) -> anyhow::Result<String> {
    serde_saphyr::to_string(document).context("write kubeconfig as YAML")
}

/// Adds the cluster to the file and makes it the current context. Returns the context that was current before.
///
/// # Errors
/// Where the file is locked for long, is no kubeconfig, or cannot be written; it is then as it was.
pub async fn merge(
    path: &Path,
    name: &str,
    server: &str,
    credentials: &Credentials,
    clock: &Clock,
) -> anyhow::Result<Option<String>> {
    let _lock = Lock::take(path, clock).await?;
    let mut config = read(path)?;
    put(&mut config, "clusters", cluster_entry(name, server, credentials))?;
    put(&mut config, "users", user_entry(name, credentials))?;
    put(&mut config, "contexts", context_entry(name))?;
    let previous = config
        .get("current-context")
        .and_then(Value::as_str)
        .map(str::to_owned);
    config.insert("current-context".to_owned(), name.into());
    write(path, config)?;
    Ok(previous.filter(|previous| !previous.is_empty() && previous != name))
}

/// Takes the cluster out of the file, and makes `previous` current where this cluster was.
///
/// # Errors
/// As [`merge`].
pub async fn remove(path: &Path, name: &str, previous: Option<&str>, clock: &Clock) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let _lock = Lock::take(path, clock).await?;
    let mut config = read(path)?;
    for list in ["clusters", "users", "contexts"] {
        if let Some(Value::Array(entries)) = config.get_mut(list) {
            entries.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
        }
    }
    if config.get("current-context").and_then(Value::as_str) == Some(name) {
        let still_there = |context: &&str| {
            let contexts = config.get("contexts").and_then(Value::as_array);
            contexts.is_some_and(|all| {
                all.iter()
                    .any(|one| one.get("name").and_then(Value::as_str) == Some(context))
            })
        };
        let current = previous.filter(still_there).unwrap_or_default().to_owned();
        config.insert("current-context".to_owned(), current.into());
    }
    write(path, config)
}

fn cluster_entry(name: &str, server: &str, credentials: &Credentials) -> Value {
    json!({"name": name, "cluster": {
        "server": format!("https://{server}"),
        "certificate-authority-data": STANDARD.encode(&credentials.ca_pem),
    }})
}

fn user_entry(name: &str, credentials: &Credentials) -> Value {
    json!({"name": name, "user": {
        "client-certificate-data": STANDARD.encode(&credentials.certificate_pem),
        "client-key-data": STANDARD.encode(&credentials.key_pem),
    }})
}

fn context_entry(name: &str) -> Value {
    json!({"name": name, "context": {"cluster": name, "user": name}})
}

fn put(config: &mut Map<String, Value>, list: &str, entry: Value) -> anyhow::Result<()> {
    let entries = config.entry(list.to_owned()).or_insert_with(|| json!([]));
    if entries.is_null() {
        *entries = json!([]);
    }
    let Value::Array(entries) = entries else {
        bail!("read kubeconfig: {list} is no list")
    };
    match entries
        .iter_mut()
        .find(|existing| existing.get("name") == entry.get("name"))
    {
        Some(existing) => *existing = entry,
        None => entries.push(entry),
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read kubeconfig {}", path.display())),
    };
    if text.trim().is_empty() {
        return Ok(Map::from_iter([
            ("apiVersion".to_owned(), json!("v1")),
            ("kind".to_owned(), json!("Config")),
            ("preferences".to_owned(), json!({})),
        ]));
    }
    match serde_saphyr::from_str(&text) {
        Ok(Value::Object(config)) => Ok(config),
        Ok(_) => bail!(
            "read kubeconfig {}: it is no mapping; use --kubeconfig FILE or --no-kubeconfig",
            path.display()
        ),
        Err(error) => Err(error).with_context(|| {
            format!(
                "read kubeconfig {} (use --kubeconfig FILE or --no-kubeconfig)",
                path.display()
            )
        }),
    }
}

fn write(path: &Path, config: Map<String, Value>) -> anyhow::Result<()> {
    let text = to_yaml(&Value::Object(config))?;
    Ok(write_private(path, text.as_bytes())?)
}

/// `FILE.lock`, there while a program changes FILE.
struct Lock(PathBuf);

impl Lock {
    async fn take(path: &Path, clock: &Clock) -> anyhow::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("make folder {}", parent.display()))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let deadline = clock.monotonic() + LOCK_PATIENCE;
        loop {
            match std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&lock)
            {
                Ok(_) => return Ok(Self(lock)),
                Err(error)
                    if error.kind() == std::io::ErrorKind::AlreadyExists && clock.monotonic() < deadline =>
                {
                    clock.sleep(LOCK_RETRY).await;
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("lock kubeconfig: delete {} if no program uses it", lock.display())
                    });
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            ca_pem: "ca".into(),
            certificate_pem: "crt".into(),
            key_pem: "key".into(),
        }
    }

    #[tokio::test]
    async fn merging_keeps_what_is_there_and_removing_restores_it() {
        let dir = std::env::temp_dir().join(format!("coracle-kubeconfig-{}", std::process::id()));
        let path = dir.join("config");
        std::fs::create_dir_all(&dir).unwrap();
        let before = "apiVersion: v1\nkind: Config\nclusters:\n- name: other\n  cluster: {server: 'https://o'}\n\
                      users: []\ncontexts:\n- name: other\n  context: {cluster: other, user: me}\n\
                      current-context: other\n";
        std::fs::write(&path, before).unwrap();
        let clock = Clock::system();
        let previous = merge(&path, "coracle", "127.0.0.1:6443", &credentials(), &clock)
            .await
            .unwrap();
        assert_eq!(previous.as_deref(), Some("other"));
        let merged = read(&path).unwrap();
        assert_eq!(merged["current-context"], "coracle");
        assert_eq!(merged["clusters"].as_array().unwrap().len(), 2);
        // A second merge replaces the entries instead of doubling them.
        assert_eq!(
            merge(&path, "coracle", "127.0.0.1:1", &credentials(), &clock)
                .await
                .unwrap(),
            None
        );
        assert_eq!(read(&path).unwrap()["clusters"].as_array().unwrap().len(), 2);
        remove(&path, "coracle", previous.as_deref(), &clock)
            .await
            .unwrap();
        let after = read(&path).unwrap();
        assert_eq!(after["current-context"], "other");
        assert_eq!(after["clusters"].as_array().unwrap().len(), 1);
        assert!(!dir.join("config.lock").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_kubeconfig_is_left_alone() {
        let path = std::env::temp_dir().join(format!("coracle-no-kubeconfig-{}", std::process::id()));
        std::fs::write(&path, "- just\n- a list\n").unwrap();
        let error = merge(&path, "c", "s:1", &credentials(), &Clock::system())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no mapping"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "- just\n- a list\n");
        std::fs::remove_file(&path).unwrap();
    }
}
