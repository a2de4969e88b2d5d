//! What a file operation on a volume can fail with, as a program inside a pod would see it.

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The `domain` of ErrorInfo that the storage service sends.
const DOMAIN: &str = "coracle.dev";

/// Why an operation on a volume failed for good. That the server is away is not among them: calls wait for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing of this name.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// What was asked for.
        path: String,
    },
    /// The name is taken.
    #[error("{path}: file exists")]
    Exists {
        /// What was asked for.
        path: String,
    },
    /// A directory was needed.
    #[error("{path}: not a directory")]
    NotDirectory {
        /// What was asked for.
        path: String,
    },
    /// A file was needed.
    #[error("{path}: is a directory")]
    IsDirectory {
        /// What was asked for.
        path: String,
    },
    /// The directory has entries.
    #[error("{path}: directory not empty")]
    NotEmpty {
        /// What was asked for.
        path: String,
    },
    /// The open file was removed, or its export was.
    #[error("{path}: stale file handle")]
    Stale {
        /// What was opened.
        path: String,
    },
    /// The disk, the quota or the number of files is exhausted.
    #[error("{path}: no space left on the volume: {message}")]
    NoSpace {
        /// What was written to.
        path: String,
        /// Which limit, in the server's words.
        message: String,
    },
    /// More than this call returns.
    #[error("{path}: larger than {limit}")]
    TooLarge {
        /// What was asked for.
        path: String,
        /// Bytes, or entries of a directory.
        limit: u64,
    },
    /// A path that no file can have.
    #[error("use path {path:?}: {why}")]
    InvalidPath {
        /// The path.
        path: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The server restarted again and again while data was being committed.
    #[error("{path}: the server lost unstable data {rounds} times in a row")]
    NotCommitted {
        /// The file; the data is still kept.
        path: String,
        /// How often it was sent.
        rounds: usize,
    },
    /// Anything else that the server refuses, or its disk failing.
    #[error("{path}: {message}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The server's word for it.
        reason: String,
        /// The server's words.
        message: String,
    },
}

/// What a failed call means.
pub(super) enum Failure {
    /// The server is away, busy or cut off: try again.
    Transient(Status),
    /// The answer.
    Final(Error),
}

impl Failure {
    pub fn of(status: Status, path: &str) -> Self {
        let info = status
            .get_details_error_info()
            .filter(|info| info.domain == DOMAIN);
        let Some(info) = info else {
            return Self::without_reason(status, path);
        };
        let (path, message) = (path.to_owned(), status.message().to_owned());
        Self::Final(match info.reason.as_str() {
            "Overloaded" => return Self::Transient(status),
            "NotFound" => Error::NotFound { path },
            "Exists" => Error::Exists { path },
            "NotDirectory" => Error::NotDirectory { path },
            "IsDirectory" => Error::IsDirectory { path },
            "NotEmpty" => Error::NotEmpty { path },
            // A server with another key lost its data directory: to us, our files are gone.
            "Stale" | "BadHandle" => Error::Stale { path },
            "NoSpace" | "QuotaExceeded" | "TooMany" | "FileTooLarge" => Error::NoSpace { path, message },
            _ => Error::Refused {
                path,
                reason: info.reason,
                message,
            },
        })
    }

    /// A failure that the file layer did not send: the transport's, or the door's.
    fn without_reason(status: Status, path: &str) -> Self {
        match status.code() {
            Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted => Self::Transient(status),
            code => Self::Final(Error::Refused {
                path: path.to_owned(),
                reason: format!("{code:?}"),
                message: status.message().to_owned(),
            }),
        }
    }
}
