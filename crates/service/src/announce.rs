//! How a process tells whoever started it where it listens and that it is ready.
//!
//! One JSON object a line on standard output. A supervisor reads them through a pipe; in a container they are two
//! lines of the log. Nothing else is ever written to a process's standard output.

use std::{io::Write, net::SocketAddr};

/// Announces the address that the process's main service listens on.
pub fn listening(service: &str, address: SocketAddr) {
    emit(&serde_json::json!({"event": "listening", "service": service, "address": address.to_string()}));
}

/// Announces that the process does its work.
pub fn ready() {
    emit(&serde_json::json!({"event": "ready"}));
}

fn emit(line: &serde_json::Value) {
    // A closed pipe means that nobody listens any more, which is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}
