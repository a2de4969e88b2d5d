//! Makes every document and tells what that costs: `cargo run -p coracle-openapi --example documents [FOLDER]` writes
//! them there too.
#![allow(clippy::disallowed_methods, reason = "a program that measures itself")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use coracle_api::kinds::RESOURCES;
use coracle_openapi::{Kind, v2, v3};

/// As the program has it, or the memory would be another's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VERSION: &str = "v1.33.0";

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1);
    let mut groups: BTreeMap<(String, String), Vec<Kind>> = BTreeMap::new();
    for resource in RESOURCES {
        let place = (resource.group.to_owned(), resource.version.to_owned());
        groups.entry(place).or_default().push(Kind::from(*resource));
    }
    report("before", 0, Instant::now())?;
    let start = Instant::now();
    let _ = coracle_api::schema::builtin("v1", "Pod");
    report(
        "shapes of all types",
        coracle_api::schema::table::TEXT.len(),
        start,
    )?;
    let start = Instant::now();
    let _ = coracle_api::protobuf::to_json(b"k8s\0", Some(("v1", "Pod")));
    report(
        "protobuf of all types",
        coracle_api::schema::table::TEXT.len(),
        start,
    )?;
    let start = Instant::now();
    let mut bytes = 0;
    for ((group, version), kinds) in &groups {
        let document = v3(group, version, kinds, VERSION);
        bytes += document.len();
        if let Some(folder) = &folder {
            let name = if group.is_empty() { "core" } else { group };
            std::fs::write(Path::new(folder).join(format!("{name}_{version}.json")), document)?;
        }
    }
    report("version 3", bytes, start)?;
    let start = Instant::now();
    let groups: Vec<_> = groups
        .into_iter()
        .map(|((group, version), kinds)| (group, version, kinds))
        .collect();
    let document = v2(&groups, VERSION);
    let bytes = document.len();
    if let Some(folder) = &folder {
        std::fs::write(Path::new(folder).join("v2.json"), document)?;
    }
    report("version 2", bytes, start)
}

fn report(what: &str, bytes: usize, start: Instant) -> std::io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let memory: Vec<String> = status
        .lines()
        .filter(|line| {
            ["VmHWM", "VmRSS", "RssAnon"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    println!(
        "{what}: {bytes} bytes in {:?}; {}",
        start.elapsed(),
        memory.join(", ")
    );
    Ok(())
}
