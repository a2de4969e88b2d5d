//! Keeps the house in order: which crate may depend on which, where `sled` is named, how files begin and how long
//! they get, and that both Dockerfiles end alike.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use coracle_tests::checkout;

/// "may depend on", by folder. The crates in `apiserver` are the apiserver's own.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("crates/api", &[]),
    ("crates/service", &[]),
    ("crates/client", &["api", "proto", "service"]),
    ("crates/runtime", &["api", "client", "service"]),
    ("crates/proxy", &["api", "client", "runtime", "service"]),
    ("crates/testing", &["api", "client", "service"]),
    ("apiserver/store", &[]),
    ("apiserver/fields", &["api"]),
    ("apiserver/openapi", &["api"]),
    ("apiserver/custom", &["api"]),
    ("apiserver/auth", &["api", "service"]),
    ("apiserver/admission", &["api", "auth", "custom", "service"]),
    (
        "apiserver",
        &[
            "admission",
            "api",
            "auth",
            "custom",
            "fields",
            "openapi",
            "proto",
            "service",
            "store",
        ],
    ),
    (
        "fuzz",
        &["api", "apiserver", "auth", "custom", "proto", "service"],
    ),
    ("examples/rust", &["proto", "service"]),
    ("scheduler", &["api", "client", "runtime", "service"]),
    ("controller-manager", &["api", "client", "runtime", "service"]),
    (
        "nodes",
        &["api", "client", "proto", "proxy", "runtime", "service"],
    ),
    ("storage", &["api", "proto", "service"]),
    ("dashboard", &["api", "client", "runtime", "service"]),
    ("edge", &["api", "client", "proxy", "runtime", "service"]),
    (
        "cli",
        &[
            "api",
            "apiserver",
            "client",
            "controller-manager",
            "dashboard",
            "edge",
            "nodes",
            "proto",
            "proxy",
            "runtime",
            "scheduler",
            "service",
            "storage",
            "store",
        ],
    ),
    ("xtask", &[]),
];

/// Where every foreign crate comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Past this many lines a file holds a second thing.
const MAX_LINES: usize = 500;
/// Tables of tests may be longer.
const MAX_TEST_LINES: usize = 700;

#[test]
fn crates_depend_only_where_an_arrow_is() {
    for (folder, allowed) in ARROWS {
        let manifest = fs::read_to_string(checkout().join(folder).join("Cargo.toml")).unwrap();
        // What a crate's own tests use is not part of what it is made of.
        let made_of = manifest.split("[dev-dependencies]").next().unwrap();
        for line in made_of.lines() {
            let Some(name) = line
                .strip_prefix("coracle-")
                .and_then(|rest| rest.split(['.', ' ', '=']).next())
            else {
                continue;
            };
            assert!(
                allowed.contains(&name),
                "{folder} depends on {name}, and no arrow leads there"
            );
        }
    }
}

#[test]
fn every_crate_has_arrows() {
    let manifest = fs::read_to_string(checkout().join("Cargo.toml")).unwrap();
    let members = manifest
        .split("members = [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    for member in members
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
    {
        assert!(
            member == "tests" || ARROWS.iter().any(|(folder, _)| *folder == member),
            "{member} has no arrows"
        );
    }
}

/// What `cargo deny check bans sources` finds, read from the lock file: this runs wherever the tests run, without a
/// tool to install.
#[test]
fn no_crate_is_used_that_deny_toml_forbids() {
    let rules = fs::read_to_string(checkout().join("deny.toml")).unwrap();
    let banned: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect();
    assert!(banned.contains(&"openssl-sys"), "found only {banned:?}");
    let lock = fs::read_to_string(checkout().join("Cargo.lock")).unwrap();
    let mut wrong = Vec::new();
    for line in lock.lines() {
        let value = |key: &str| {
            line.strip_prefix(key)?
                .trim()
                .trim_start_matches("= \"")
                .strip_suffix('"')
        };
        if let Some(name) = value("name ").filter(|name| banned.contains(name)) {
            wrong.push(format!("{name} is banned"));
        }
        if let Some(source) = value("source ").filter(|source| *source != REGISTRY) {
            wrong.push(format!("{source} is not the registry"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sled_is_named_in_one_file() {
    let naming: BTreeSet<PathBuf> = sources()
        .into_iter()
        .filter(|path| !path.ends_with("architecture.rs"))
        .filter(|path| {
            fs::read_to_string(path)
                .unwrap()
                .lines()
                .any(|line| code(line).contains("sled::"))
        })
        .collect();
    assert_eq!(naming.len(), 1, "{naming:?}");
}

#[test]
fn files_say_what_lives_in_them_and_stay_short() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not begin with //!", path.display()));
        }
        let lines = text.lines().count();
        let inside = path.strip_prefix(checkout()).unwrap_or(&path);
        let is_tests = inside
            .components()
            .any(|part| part.as_os_str().to_string_lossy().starts_with("tests"));
        if lines > if is_tests { MAX_TEST_LINES } else { MAX_LINES } {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_dockerfiles_end_in_the_same_stage() {
    let last_stage = |path: &str| {
        let text = fs::read_to_string(checkout().join(path)).unwrap();
        text.rsplit_once("\nFROM ").unwrap().1.to_owned()
    };
    assert_eq!(last_stage("Dockerfile"), last_stage("docker/prebuilt.Dockerfile"));
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![checkout()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && !is_foreign(&name.to_string_lossy()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(
        found.len() > 50,
        "found only {} source files below {}",
        found.len(),
        Path::new(".").display()
    );
    found
}

fn is_foreign(folder: &str) -> bool {
    folder.starts_with('.') || folder == "target" || folder == "node_modules"
}
