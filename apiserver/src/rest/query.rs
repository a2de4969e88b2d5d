//! The query string: options of reads, watches, writes and deletes, judged as upstream judges them.
//!
//! What is unknown is ignored, as upstream does. What is known and malformed is refused before anything happens.

use axum::extract::Query as Pairs;
use coracle_api::{ApiError, FieldError, FieldSelector, LabelSelector, Path};
use http::Uri;

use crate::registry::{FieldValidation, WriteOptions};

#[cfg(test)]
mod tests;

/// The longest field manager, in bytes.
const MAX_FIELD_MANAGER: usize = 128;

/// The decoded pairs of a query string.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes the query of `uri`.
    ///
    /// # Errors
    /// Bad request, where it is not percent-encoded UTF-8.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ApiError> {
        Pairs::<Vec<(String, String)>>::try_from_uri(uri)
            .map(|Pairs(pairs)| Self(pairs))
            .map_err(|error| ApiError::bad_request(format!("read query: {error}")))
    }

    /// The first value of a parameter, where it is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A truth value: everything but `0` and `false` is true, even nothing.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.all(name).next()?;
        Some(value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// A whole number.
    ///
    /// # Errors
    /// Bad request, where it is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            ApiError::bad_request(format!(
                "{name}: Invalid value: \"{text}\": must be a whole number"
            ))
        })
    }
}

/// How old the state may be that a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// Exactly that of the revision.
    Exact,
    /// That of the revision or a newer one.
    NotOlderThan,
}

/// Which objects to read, and how.
#[derive(Debug)]
pub(crate) struct ReadOptions {
    /// Everything, where empty.
    pub(crate) labels: LabelSelector,
    /// Everything, where empty.
    pub(crate) fields: FieldSelector,
    /// At most so many objects; zero for all.
    pub(crate) limit: i64,
    /// Where the page before ended.
    pub(crate) continue_token: Option<String>,
    /// `None` where absent, zero for any.
    pub(crate) revision: Option<i64>,
    /// How to take the revision.
    pub(crate) revision_match: Option<Match>,
    /// Stream changes instead of answering with a list.
    pub(crate) watch: bool,
    /// The client understands BOOKMARK events.
    pub(crate) bookmarks: bool,
    /// Whether a watch begins with the present state; unset for what the revision implies.
    pub(crate) initial_events: Option<bool>,
    /// End a watch after so many seconds.
    pub(crate) timeout_seconds: Option<u64>,
}

impl ReadOptions {
    /// Reads the options of a list or watch.
    ///
    /// # Errors
    /// Bad request or invalid, naming the parameter.
    pub(crate) fn from_query(query: &Query) -> Result<Self, ApiError> {
        let selector = |name| query.get(name).unwrap_or_default();
        let options = Self {
            labels: LabelSelector::parse(selector("labelSelector"))
                .map_err(|error| ApiError::bad_request(error.to_string()))?,
            fields: FieldSelector::parse(selector("fieldSelector"))
                .map_err(|error| ApiError::bad_request(error.to_string()))?,
            limit: query.number("limit")?.unwrap_or(0).max(0),
            continue_token: query.get("continue").map(str::to_owned),
            revision: revision(query)?,
            revision_match: match query.get("resourceVersionMatch") {
                None => None,
                Some("Exact") => Some(Match::Exact),
                Some("NotOlderThan") => Some(Match::NotOlderThan),
                Some(other) => {
                    let supported = ["Exact", "NotOlderThan"];
                    let path = Path::new("resourceVersionMatch");
                    return Err(invalid(
                        "ListOptions",
                        FieldError::not_supported(&path, other, &supported),
                    ));
                }
            },
            watch: query.flag("watch").unwrap_or(false),
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
            initial_events: query.flag("sendInitialEvents"),
            timeout_seconds: query
                .number("timeoutSeconds")?
                .and_then(|seconds| u64::try_from(seconds).ok()),
        };
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), ApiError> {
        let forbid = |field: &str, why: &str| {
            Err(invalid(
                "ListOptions",
                FieldError::forbidden(&Path::new(field), why),
            ))
        };
        if self.watch {
            return match (self.initial_events, self.revision_match) {
                (Some(_), Some(Match::NotOlderThan)) | (None, None) => Ok(()),
                (Some(_), _) => forbid(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ),
                (None, Some(_)) => forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ),
            };
        }
        if self.initial_events.is_some() {
            return forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        match self.revision_match {
            Some(_) if self.revision.is_none() => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            Some(_) if self.continue_token.is_some() => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ),
            Some(Match::Exact) if self.revision == Some(0) => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
            ),
            _ => Ok(()),
        }
    }
}

/// The revision of a read; clients treat it as opaque, so anything but a number was not made here.
pub(crate) fn revision(query: &Query) -> Result<Option<i64>, ApiError> {
    let Some(text) = query.get("resourceVersion") else {
        return Ok(None);
    };
    match text.parse() {
        Ok(revision) if revision >= 0 => Ok(Some(revision)),
        _ => Err(ApiError::bad_request(format!(
            "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))),
    }
}

/// Reads the options of a write; `kind` is what upstream calls them, such as `CreateOptions`.
///
/// # Errors
/// Invalid, naming the parameter.
pub(crate) fn write_options(query: &Query, kind: &str) -> Result<WriteOptions, ApiError> {
    let field_validation = match query.get("fieldValidation") {
        None | Some("Warn") => FieldValidation::Warn,
        Some("Ignore") => FieldValidation::Ignore,
        Some("Strict") => FieldValidation::Strict,
        Some(other) => {
            let supported = ["", "Ignore", "Strict", "Warn"];
            let path = Path::new("fieldValidation");
            return Err(invalid(kind, FieldError::not_supported(&path, other, &supported)));
        }
    };
    let field_manager = query.get("fieldManager").unwrap_or_default();
    if field_manager.len() > MAX_FIELD_MANAGER {
        let path = Path::new("fieldManager");
        return Err(invalid(kind, FieldError::too_long(&path, MAX_FIELD_MANAGER)));
    }
    let dry_run = dry_run(query.all("dryRun"), kind)?;
    Ok(WriteOptions {
        dry_run,
        field_manager: field_manager.to_owned(),
        field_validation,
        fence: None,
    })
}

/// Whether `values` of a `dryRun` option ask for one.
///
/// # Errors
/// Invalid, where one is not `All`.
pub(crate) fn dry_run<'a>(values: impl Iterator<Item = &'a str>, kind: &str) -> Result<bool, ApiError> {
    let mut asked = false;
    for value in values.filter(|value| !value.is_empty()) {
        if value != "All" {
            let path = Path::new("dryRun");
            return Err(invalid(kind, FieldError::not_supported(&path, value, &["All"])));
        }
        asked = true;
    }
    Ok(asked)
}

/// Options of `meta.k8s.io` that are wrong.
pub(crate) fn invalid(kind: &str, error: FieldError) -> ApiError {
    ApiError::invalid_kind("meta.k8s.io", kind, "", vec![error])
}
