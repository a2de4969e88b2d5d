//! Content negotiation: which of the representations on offer a client's `Accept` header asks for first.
//!
//! Kubernetes clients list alternatives in order of preference and use parameters (`as=Table;v=v1;g=meta.k8s.io`) to
//! ask for another form of the same objects. Answers are always JSON, which is YAML too; protobuf is never answered,
//! and every client that prefers it accepts JSON as well.

use coracle_api::ApiError;
use http::HeaderMap;
use http::header::ACCEPT;

#[cfg(test)]
mod tests;

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/json`
    Json,
    /// `application/yaml`, for which indented JSON is valid.
    Yaml,
}

impl Encoding {
    /// The media type of an answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// Which form of the objects is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects themselves.
    Object,
    /// `Table` of `meta.k8s.io` in this version.
    Table(&'static str),
    /// `PartialObjectMetadata` or its list, of `meta.k8s.io` in this version.
    Metadata(&'static str),
}

/// The agreed representation of an object or of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Representation {
    /// How bytes are written.
    pub(crate) encoding: Encoding,
    /// Which form of the objects.
    pub(crate) form: Form,
}

/// Which form of discovery is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// A list of groups, or of versions, that leads to further requests.
    Plain,
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io` in this version.
    Aggregated(&'static str),
}

/// Alternatives in one header beyond this number are not looked at.
const MAX_CLAUSES: usize = 16;

const AVAILABLE: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// The representation of objects that the client asks for.
///
/// # Errors
/// Not acceptable, where nothing in the header can be served.
pub(crate) fn objects(headers: &HeaderMap) -> Result<Representation, ApiError> {
    let fallback = Representation {
        encoding: Encoding::Json,
        form: Form::Object,
    };
    first(headers, fallback, |clause| {
        let encoding = clause.encoding()?;
        let form = match (clause.get("as"), clause.get("g"), clause.get("v")) {
            (None, ..) => Form::Object,
            (Some("Table"), Some("meta.k8s.io"), version) => Form::Table(meta_version(version?)?),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), version) => {
                Form::Metadata(meta_version(version?)?)
            }
            _ => return None,
        };
        Some(Representation { encoding, form })
    })
}

/// The form of discovery that the client asks for.
///
/// # Errors
/// Not acceptable, where nothing in the header can be served.
pub(crate) fn discovery(headers: &HeaderMap) -> Result<DiscoveryForm, ApiError> {
    first(headers, DiscoveryForm::Plain, |clause| {
        clause.encoding()?;
        match (clause.get("as"), clause.get("g"), clause.get("v")) {
            (None, ..) => Some(DiscoveryForm::Plain),
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) => {
                Some(DiscoveryForm::Aggregated("v2"))
            }
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2beta1")) => {
                Some(DiscoveryForm::Aggregated("v2beta1"))
            }
            _ => None,
        }
    })
}

fn meta_version(version: &str) -> Option<&'static str> {
    match version {
        "v1" => Some("v1"),
        "v1beta1" => Some("v1beta1"),
        _ => None,
    }
}

/// The first clause, by weight and then by place, that `serve` can serve.
fn first<T: Copy>(
    headers: &HeaderMap,
    fallback: T,
    serve: impl Fn(&Clause<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    let mut clauses: Vec<Clause<'_>> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|text| !text.trim().is_empty())
        .take(MAX_CLAUSES)
        .map(Clause::parse)
        .collect();
    if clauses.is_empty() {
        return Ok(fallback);
    }
    clauses.sort_by_key(|clause| std::cmp::Reverse(clause.weight()));
    clauses
        .iter()
        .find_map(serve)
        .ok_or_else(|| ApiError::not_acceptable(AVAILABLE))
}

/// One alternative of an `Accept` header.
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .collect();
        Self {
            media_type,
            parameters,
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// The `q` parameter in thousandths.
    fn weight(&self) -> u32 {
        let weight = self
            .get("q")
            .and_then(|text| text.parse::<f32>().ok())
            .unwrap_or(1.0);
        // Clamped, so the cast keeps the value.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
        thousandths
    }

    fn encoding(&self) -> Option<Encoding> {
        if self.weight() == 0 {
            return None;
        }
        match self.media_type {
            "application/json" | "application/*" | "*/*" => Some(Encoding::Json),
            "application/yaml" => Some(Encoding::Yaml),
            _ => None,
        }
    }
}
