//! What can go wrong with a file operation, in the terms of NFS version 3 (RFC 1813, section 2.6).
//!
//! The file layer returns these; the gRPC door turns each into a status in one place, [`Error::status`], with
//! `google.rpc.ErrorInfo` carrying [`Error::reason`]. A client branches on the reason, never on the text.

use std::io;

use rustix::io::Errno;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every ErrorInfo that Coracle sends.
const DOMAIN: &str = "coracle.dev";

/// Why a file operation was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that the handle led to is gone, or its export is.
    #[error("use handle: the file is gone")]
    Stale,
    /// The handle was not made by this server.
    #[error("use handle: it was not issued by this server")]
    BadHandle,
    /// No entry of this name.
    #[error("find {0:?}: no such file or directory")]
    NotFound(String),
    /// The name is taken.
    #[error("make {0:?}: the name is taken")]
    Exists(String),
    /// A directory was needed.
    #[error("use as a directory: it is not one")]
    NotDirectory,
    /// A file was needed.
    #[error("use as a file: it is a directory")]
    IsDirectory,
    /// Only an empty directory can be removed or replaced.
    #[error("remove directory: it is not empty")]
    NotEmpty,
    /// A link, socket or device, which an administrator put there; it is never followed or opened.
    #[error("use {0:?}: it is neither a file nor a directory")]
    NotRegular(String),
    /// A name that no file may have.
    #[error("use name {name:?}: {why}")]
    InvalidName {
        /// What was asked for, shortened.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// An argument outside its limits.
    #[error("accept request: {0}")]
    InvalidArgument(&'static str),
    /// A rename from one export to another.
    #[error("rename: source and target are in different exports")]
    CrossExport,
    /// The file would outgrow the largest file allowed.
    #[error("write file: it would be larger than {limit_bytes} bytes")]
    FileTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The disk is full.
    #[error("write to disk: no space is left")]
    NoSpace,
    /// The export would outgrow its quota.
    #[error("write to export: its quota of {limit_bytes} bytes is used up")]
    QuotaExceeded {
        /// The quota.
        limit_bytes: u64,
    },
    /// The server holds as many exports, or the export as many files, as it may.
    #[error("make file or export: {limit} exist, which is the limit")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// The service's own user may not do this to the file, which an administrator put there.
    #[error("{0}: permission denied on the server's disk")]
    Denied(&'static str),
    /// More requests at once than the server takes; try again.
    #[error("accept request: too many are under way")]
    Overloaded,
    /// The disk or the file system failed.
    #[error("{operation}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// The error of a system call whose failure has no meaning of its own to the caller.
    pub(crate) fn from_errno(operation: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied(operation),
            Errno::MFILE | Errno::NFILE => Self::Overloaded,
            other => Self::Io {
                operation,
                source: other.into(),
            },
        }
    }

    /// The word by which a client tells errors apart.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Stale => "Stale",
            Self::BadHandle => "BadHandle",
            Self::NotFound(_) => "NotFound",
            Self::Exists(_) => "Exists",
            Self::NotDirectory => "NotDirectory",
            Self::IsDirectory => "IsDirectory",
            Self::NotEmpty => "NotEmpty",
            Self::NotRegular(_) => "NotRegular",
            Self::InvalidName { .. } => "InvalidName",
            Self::InvalidArgument(_) => "InvalidArgument",
            Self::CrossExport => "CrossExport",
            Self::FileTooLarge { .. } => "FileTooLarge",
            Self::NoSpace => "NoSpace",
            Self::QuotaExceeded { .. } => "QuotaExceeded",
            Self::TooMany { .. } => "TooMany",
            Self::Denied(_) => "Denied",
            Self::Overloaded => "Overloaded",
            Self::Io { .. } => "Io",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Stale | Self::NotFound(_) => Code::NotFound,
            Self::Exists(_) => Code::AlreadyExists,
            Self::NotDirectory | Self::IsDirectory | Self::NotEmpty | Self::NotRegular(_) => {
                Code::FailedPrecondition
            }
            Self::BadHandle
            | Self::InvalidName { .. }
            | Self::InvalidArgument(_)
            | Self::CrossExport
            | Self::FileTooLarge { .. } => Code::InvalidArgument,
            Self::NoSpace | Self::QuotaExceeded { .. } | Self::TooMany { .. } => Code::ResourceExhausted,
            Self::Denied(_) => Code::PermissionDenied,
            Self::Overloaded => Code::Unavailable,
            Self::Io { .. } => Code::Internal,
        }
    }

    /// The error as the wire carries it. What the disk said stays in the server's log.
    #[must_use]
    pub fn status(&self) -> Status {
        let details = ErrorDetails::with_error_info(self.reason(), DOMAIN, [] as [(String, String); 0]);
        Status::with_error_details(self.code(), self.to_string(), details)
    }
}
