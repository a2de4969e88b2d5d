//! What people read: progress on standard error, a line a step, and errors in one line with their causes.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

/// Prints steps with the time that each took, as `kind` does.
pub struct Progress {
    color: bool,
}

impl Progress {
    /// Colored where standard error is a terminal and `NO_COLOR` is not set.
    pub fn new() -> Self {
        Self {
            color: std::io::stderr().is_terminal() && !is_set("NO_COLOR"),
        }
    }

    /// A step that is done.
    pub fn step(&self, what: &str, took: Duration) {
        let tick = if self.color { "\x1b[32m✓\x1b[0m" } else { "✓" };
        self.line(&format!(
            " {tick} {what} {}",
            self.faint(&format!("({})", seconds(took)))
        ));
    }

    /// A line that is no step.
    pub fn line(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn faint(&self, text: &str) -> String {
        if self.color {
            format!("\x1b[2m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "NO_COLOR is a convention of the environment, not a setting of ours"
)]
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Prints an error with its causes, in one line.
pub fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
}

/// Prints data on standard output. A reader that went away (`| head`) is no error.
pub fn data(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}
