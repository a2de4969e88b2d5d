//! Makes `crates/api/src/schema/table.txt`: what every served type's fields are called, what they hold, how they merge,
//! and under which numbers they travel in protobuf.
//!
//! The facts come from the source of two crates that were generated from Kubernetes itself (k8s-openapi for JSON,
//! k8s-pb for protobuf), and from the short lists in [`facts`] for what neither of them tells.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::facts::Merge;
use self::openapi::{Field, Type};
use self::proto::Messages;

mod facts;
mod openapi;
mod proto;

const HEAD: &str = "\
# Made by `cargo run -p xtask -- schema`; change xtask, not this file.
# TYPE [= apiVersion kind] [atomic], then its fields: name, protobuf number (with those of inlined messages), type, flags.
";

/// Writes the table.
pub fn generate() -> Result<()> {
    let (path, text) = table()?;
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Where the table is and what the sources say it should be.
fn table() -> Result<(PathBuf, String)> {
    let metadata = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--offline"])
        .output()
        .context("run cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata.stdout).context("read what cargo metadata says")?;
    let types = openapi::read(&source_of(&metadata, "k8s-openapi")?)?;
    let messages = proto::read(&source_of(&metadata, "k8s-pb")?)?;
    let mut text = HEAD.to_owned();
    for of in &types {
        write_type(&mut text, of, &messages).with_context(|| format!("describe {}", of.name))?;
    }
    let root = metadata
        .get("workspace_root")
        .and_then(|root| root.as_str())
        .context("find the workspace")?;
    Ok((PathBuf::from(root).join("crates/api/src/schema/table.txt"), text))
}

/// The `src` folder of a dependency.
fn source_of(metadata: &serde_json::Value, name: &str) -> Result<PathBuf> {
    let packages = metadata
        .get("packages")
        .and_then(|packages| packages.as_array())
        .context("find the packages")?;
    let manifest = packages
        .iter()
        .find(|package| package["name"] == name)
        .and_then(|package| package["manifest_path"].as_str())
        .with_context(|| format!("find {name}"))?;
    Ok(PathBuf::from(manifest).with_file_name("src"))
}

fn write_type(text: &mut String, of: &Type, messages: &Messages) -> Result<()> {
    text.push_str(&of.name);
    if let Some((api_version, kind)) = &of.gvk {
        write!(text, " = {api_version} {kind}")?;
    }
    if facts::is_atomic(&of.name) {
        text.push_str(" atomic");
    }
    text.push('\n');
    let mut missing = Vec::new();
    for field in &of.fields {
        let number = match messages.number(of, &field.json) {
            Some(number) => number,
            // The body's own type, which protobuf carries outside.
            None if matches!(field.json.as_str(), "apiVersion" | "kind") => "-".to_owned(),
            None => {
                missing.push(field.json.as_str());
                continue;
            }
        };
        writeln!(text, " {} {number} {}{}", field.json, field.ty, flags(of, field)?)?;
    }
    if !missing.is_empty() {
        bail!("no protobuf field for {}", missing.join(", "));
    }
    Ok(())
}

fn flags(of: &Type, field: &Field) -> Result<String> {
    let mut flags = String::new();
    if field.required {
        flags.push_str(" required");
    }
    if facts::is_pointer(&of.name, &field.json) {
        flags.push_str(" pointer");
    }
    let merge = facts::merge(&of.name, field);
    match &merge {
        Merge::Plain => {}
        Merge::AtomicMap => flags.push_str(" atomic"),
        Merge::Set { patch } => {
            flags.push_str(" set");
            if *patch {
                flags.push_str(" patch=");
            }
        }
        Merge::List { keys, patch } => {
            if !keys.is_empty() {
                write!(flags, " keys={}", keys.join(","))?;
            }
            if let Some(key) = patch {
                write!(flags, " patch={key}")?;
            }
        }
    }
    if facts::retains_keys(&of.name, &field.json) {
        flags.push_str(" retain");
    }
    if let Some(default) = facts::default(&of.name, &field.json) {
        write!(flags, " default={default}")?;
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_table_is_what_the_sources_say() {
        let (path, text) = super::table().unwrap();
        let committed = std::fs::read_to_string(path).unwrap();
        // Not assert_eq: two thousand lines help nobody.
        assert!(committed == text, "run `cargo run -p xtask -- schema`");
    }
}
