//! Names and export paths, checked once where they come in.
//!
//! A [`Name`] is one component of a path. As it holds no separator and is never `.` or `..`, opening it relative to a
//! directory cannot lead out of that directory, except through a link, which no open here follows.

use std::fmt;

use crate::Error;

/// The longest name that file systems take, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// The longest export path, in bytes; the same as Linux's `PATH_MAX`.
pub const MAX_PATH_BYTES: usize = 4096;
/// How deep directories may lie below the root of their export.
pub const MAX_DEPTH: usize = 64;
/// Names that begin so belong to the service: a client neither sees nor makes them.
pub(crate) const RESERVED_PREFIX: &str = ".coracle-";
/// What a file is called until it has all its attributes. One at a time is made in an export.
pub(crate) const STAGING: &str = ".coracle-stage";
/// How much of a refused name an error shows.
const SHOWN_CHARS: usize = 64;

/// One component of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Checks a name that came from outside.
    ///
    /// # Errors
    /// [`Error::InvalidName`] naming the rule that it breaks.
    pub fn new(name: &str) -> Result<Self, Error> {
        let refuse = |why| {
            let name = name.chars().take(SHOWN_CHARS).collect();
            Err(Error::InvalidName { name, why })
        };
        match name {
            "" => refuse("a name is not empty"),
            "." | ".." => refuse("a name is not a reference to a directory"),
            _ if name.len() > MAX_NAME_BYTES => refuse("a name has at most 255 bytes"),
            _ if name.contains('/') => refuse("a name has no separator"),
            _ if name.contains('\0') => refuse("a name has no zero byte"),
            _ if name.starts_with(RESERVED_PREFIX) => refuse("names that begin with .coracle- are reserved"),
            _ => Ok(Self(name.into())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a mount leads: an export, and perhaps a directory inside it.
///
/// The first component names the export. As Kubernetes manifests usually say `/exports/data`, a leading `exports` is
/// dropped where a component follows, so that `/exports/data` and `/data` are the same export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPath {
    /// The export.
    pub export: Name,
    /// The directories below its root that lead to the mounted one.
    pub below: Vec<Name>,
}

impl ExportPath {
    /// Checks a path that came from outside.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the path, [`Error::InvalidName`] for one of its components.
    pub fn parse(path: &str) -> Result<Self, Error> {
        if path.len() > MAX_PATH_BYTES {
            return Err(Error::InvalidArgument("an export's path has at most 4096 bytes"));
        }
        let Some(relative) = path.strip_prefix('/') else {
            return Err(Error::InvalidArgument("an export's path begins with a slash"));
        };
        let parts: Vec<&str> = relative.split('/').filter(|part| !part.is_empty()).collect();
        let parts = match parts.as_slice() {
            ["exports", rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        let [export, below @ ..] = parts else {
            return Err(Error::InvalidArgument(
                "the path names no export; /exports/data names one",
            ));
        };
        if below.len() > MAX_DEPTH {
            return Err(Error::InvalidArgument("directories lie at most 64 deep"));
        }
        Ok(Self {
            export: Name::new(export)?,
            below: below
                .iter()
                .map(|part| Name::new(part))
                .collect::<Result<_, _>>()?,
        })
    }
}
