//! Hooks of a container's life: what is done after it started and before it ends, and where it leaves its last words.

use serde::Deserialize;

use super::view::{ContainerSpec, or_default};
use crate::probes::{Command, HttpGet, Question, TcpSocket};

/// spec.containers[].lifecycle
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lifecycle {
    /// Done once the container runs; where it fails, the container is ended.
    pub post_start: Option<Hook>,
    /// Done before the container is told to end, within its grace period.
    pub pre_stop: Option<Hook>,
}

/// What a hook does: one of these.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hook {
    /// Runs a command.
    pub exec: Option<Command>,
    /// Sends a request.
    pub http_get: Option<HttpGet>,
    /// Opens a connection.
    pub tcp_socket: Option<TcpSocket>,
    /// Waits.
    pub sleep: Option<Sleep>,
}

/// A wait.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sleep {
    /// How long.
    #[serde(deserialize_with = "or_default")]
    pub seconds: u32,
}

/// What becomes of a container's last words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum MessagePolicy {
    /// They are in a file.
    #[default]
    File,
    /// They are in a file, and where that is empty and the container failed, in the log.
    FallbackToLogsOnError,
}

impl Hook {
    /// What it asks of the container; `None` where it only waits.
    #[must_use]
    pub fn question(&self, container: &ContainerSpec) -> Option<Question> {
        Question::of(
            self.http_get.as_ref(),
            self.tcp_socket.as_ref(),
            self.exec.as_ref(),
            container,
        )
    }
}
