//! The command line as a user meets it: help, exit codes, and errors in one line that say what to do next.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn coracle(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coracle"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env_remove("CORACLE_DATA_DIR")
        .output()
        .unwrap()
}

#[track_caller]
fn check_error(arguments: &[&str], code: i32, parts: &[&str]) {
    let output = coracle(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for part in parts {
        assert!(
            stderr.contains(part),
            "{arguments:?} does not say {part:?}: {stderr}"
        );
    }
    assert!(
        output.stdout.is_empty(),
        "errors do not belong on standard output"
    );
}

#[test]
fn help_and_version_are_answers() {
    for flag in ["--help", "--version"] {
        let output = coracle(&[flag]);
        assert!(output.status.success());
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn misuse_exits_with_2() {
    check_error(&["frobnicate"], 2, &["unrecognized subcommand"]);
    check_error(&["up", "--nodes=many"], 2, &["invalid value"]);
}

#[test]
fn errors_say_what_to_do_next() {
    let dir = std::env::temp_dir().join(format!("coracle-cli-{}", std::process::id()));
    let data_dir = format!("--data-dir={}", dir.display());
    check_error(
        &["status", &data_dir],
        1,
        &["it is not running; start it with `coracle up`"],
    );
    check_error(&["kubeconfig", &data_dir], 1, &["start it with `coracle up`"]);
    check_error(&["up", "--name=Not_A_Label"], 1, &["lower case letters"]);
    check_error(
        &["up", &data_dir, "--no-kubeconfig", "--set=node"],
        1,
        &["COMPONENT.FLAG=VALUE"],
    );
    check_error(
        &["up", "--data-dir=/proc/nowhere", "--no-kubeconfig"],
        1,
        &["make data directory /proc/nowhere"],
    );
    check_error(&["fetch", "https://127.0.0.1:1/"], 1, &["--cacert", "-k"]);
    check_error(&["fetch", "ftp://127.0.0.1/"], 1, &["only http and https"]);
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = std::env::temp_dir().join(format!("coracle-cli-port-{}", std::process::id()));
    let data_dir = format!("--data-dir={}", dir.display());
    let expected = format!("listen on 127.0.0.1:{port}: choose another --port");
    check_error(
        &["up", &data_dir, "--no-kubeconfig", &format!("--port={port}")],
        1,
        &[&expected],
    );
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn shells_complete() {
    let output = coracle(&["completion", "bash"]);
    assert!(output.status.success() && output.stdout.starts_with(b"_coracle"));
}
