//! Reads the source of k8s-pb: which number each field has in protobuf.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use regex::Regex;

use super::openapi::Type;

/// Messages deeper than this inside one another are not looked for.
const MAX_INLINED: usize = 3;

/// All messages, by module and name without case: prost and OpenAPI write `HTTPGetAction` differently.
pub struct Messages(BTreeMap<String, Vec<Field>>);

struct Field {
    name: String,
    number: String,
    /// The message that it is, where it is one message.
    message: Option<String>,
}

/// Reads every `mod.rs`.
pub fn read(source: &Path) -> Result<Messages> {
    // Comments may hold any bracket; only that of a struct begins a line.
    let message = Regex::new(r"(?s)pub struct (\w+) \{\n(.*?\n)\}")?;
    let field =
        Regex::new(r#"(?s)#\[prost\(([^\]]*?)tag = "(\d+)"[^\]]*?\)\]\s*pub (?:r#)?(\w+):\s*(.*?),\n"#)?;
    let mut messages = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = folder.strip_prefix(source)?.to_string_lossy().replace('/', ".");
            let text = std::fs::read_to_string(&path)?;
            for found in message.captures_iter(&text) {
                let fields = field.captures_iter(&found[2]).map(|field| {
                    let single = field[1].starts_with("message") && !field[1].contains("repeated");
                    let ty = field[4].trim_end_matches('>').rsplit([':', '<']).next();
                    Field {
                        name: plain(&field[3]),
                        number: field[2].to_owned(),
                        message: single.then(|| key(&module, ty.unwrap_or_default())),
                    }
                });
                messages.insert(key(&module, &found[1]), fields.collect());
            }
        }
    }
    Ok(Messages(messages))
}

impl Messages {
    /// The number of a field; several, joined by dots, where Go embeds one struct in another and JSON shows one object.
    pub fn number(&self, of: &Type, json: &str) -> Option<String> {
        let module = of.name.strip_prefix("io.k8s.")?.replace('-', "_");
        let (module, name) = module.rsplit_once('.')?;
        let known: Vec<String> = of.fields.iter().map(|field| plain(&field.json)).collect();
        self.find(&key(module, name), &plain(json), &known, MAX_INLINED)
    }

    fn find(&self, message: &str, name: &str, known: &[String], depth: usize) -> Option<String> {
        let fields = self.0.get(message)?;
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            return Some(field.number.clone());
        }
        if depth == 0 {
            return None;
        }
        // What JSON does not name may be inlined.
        fields
            .iter()
            .filter(|field| !known.contains(&field.name))
            .find_map(|field| {
                let rest = self.find(field.message.as_deref()?, name, known, depth - 1)?;
                Some(format!("{}.{rest}", field.number))
            })
    }
}

fn key(module: &str, name: &str) -> String {
    format!("{module}.{}", name.to_ascii_lowercase())
}

/// Letters and digits only: JSON says `podCIDRs`, prost `pod_cid_rs`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}
