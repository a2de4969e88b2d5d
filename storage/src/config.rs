//! What a storage process is told at its start.

use std::{net::SocketAddr, path::PathBuf};

use crate::limits::Limits;

/// The configuration of a storage process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where exports and the service's own records live; made where it is missing.
    pub data_dir: PathBuf,
    /// Where the service listens, 2049 by custom; port 0 takes a free one, which is announced.
    pub listen: SocketAddr,
    /// What it grants.
    pub limits: Limits,
}

/// A configuration that cannot work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No directory.
    #[error("configure storage: the data directory is empty")]
    NoDataDir,
    /// A limit that forbids everything or exceeds what file systems can count.
    #[error("configure storage: {name} is {value}, it must be between 1 and {most}")]
    Limit {
        /// Which.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// The most allowed.
        most: u64,
    },
}

/// Files that one export may be configured to hold: their map takes about 1.5 GB of memory.
const MOST_FILES: u64 = 10_000_000;
/// Exports that may be configured.
const MOST_EXPORTS: u64 = 1_000_000;
/// The largest offset that file systems count with.
const MOST_BYTES: u64 = i64::MAX as u64;

impl Config {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self {
            data_dir,
            listen: _,
            limits,
        } = self;
        let Limits {
            exports,
            files_per_export,
            bytes_per_export,
            file_bytes,
        } = *limits;
        if data_dir.as_os_str().is_empty() {
            return Err(ConfigError::NoDataDir);
        }
        for (name, value, most) in [
            ("exports", exports, MOST_EXPORTS),
            ("files per export", files_per_export, MOST_FILES),
            ("bytes per export", bytes_per_export, MOST_BYTES),
            ("bytes per file", file_bytes, MOST_BYTES),
        ] {
            if value == 0 || value > most {
                return Err(ConfigError::Limit { name, value, most });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked_and_the_defaults_hold() {
        let good = Config {
            data_dir: "data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            limits: Limits::default(),
        };
        assert_eq!(good.validate(), Ok(()));
        let empty = Config {
            data_dir: PathBuf::new(),
            ..good.clone()
        };
        assert_eq!(empty.validate(), Err(ConfigError::NoDataDir));
        for value in [0, u64::MAX] {
            let limits = Limits {
                file_bytes: value,
                ..Limits::default()
            };
            let bad = Config {
                limits,
                ..good.clone()
            };
            let most = MOST_BYTES;
            assert_eq!(
                bad.validate(),
                Err(ConfigError::Limit {
                    name: "bytes per file",
                    value,
                    most
                })
            );
        }
    }
}
