//! Server-side apply over HTTP: `PATCH` with `application/apply-patch+yaml`; and under which name an HTTP client owns
//! the fields that it writes.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use coracle_api::{ApiError, FieldError, Path, names, yaml};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, StatusCode};

use super::{Request, written_answer};
use crate::registry::{Write, manager_required};
use crate::rest::{body, query};

/// The media type of an applied configuration, YAML or JSON.
pub(crate) const MEDIA_TYPE: &str = "application/apply-patch+yaml";

/// Whether the body is an applied configuration.
pub(super) fn is_apply(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim() == MEDIA_TYPE)
}

/// The name under which a client owns fields that gives none: the first part of its `User-Agent`.
pub(super) fn manager_of(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let product = agent
        .and_then(|agent| agent.split('/').next())
        .unwrap_or_default();
    let mut name = String::new();
    for letter in product.chars().filter(|letter| !letter.is_control()) {
        if name.len() + letter.len_utf8() > names::FIELD_MANAGER_MAX_BYTES {
            break;
        }
        name.push(letter);
    }
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

impl Request<'_> {
    /// Applies the body.
    pub(super) async fn apply(self, body: Body) -> Result<Response, ApiError> {
        let renderer = self.renderer()?;
        let context = self.context("PatchOptions")?;
        if self.query.get("fieldManager").is_none() {
            return Err(manager_required());
        }
        let config = body::read(&self.parts.headers, body).await?;
        let write = Write::Apply {
            target: self.object()?,
            subresource: self.target.subresource_name().to_owned(),
            body: to_json(config)?,
            force: self.query.flag("force").unwrap_or(false),
        };
        let written = self.door.registry.write(&context, write).await?;
        Ok(written_answer(StatusCode::OK, &renderer, &written))
    }

    /// Refuses `force` on a patch that takes nothing from anybody.
    pub(super) fn refuse_force(&self) -> Result<(), ApiError> {
        if self.query.get("force").is_none() {
            return Ok(());
        }
        let why = "may not be specified for non-apply patch";
        Err(query::invalid(
            "PatchOptions",
            FieldError::forbidden(&Path::new("force"), why),
        ))
    }
}

/// JSON is YAML too, and the quicker of the two to read.
fn to_json(config: Bytes) -> Result<Bytes, ApiError> {
    if config.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(&config).is_ok() {
        return Ok(config);
    }
    let undecodable =
        |error: &dyn std::fmt::Display| ApiError::bad_request(format!("error decoding YAML: {error}"));
    let text = std::str::from_utf8(&config).map_err(|error| undecodable(&error))?;
    let document = yaml::document(text).map_err(|error| undecodable(&error))?;
    Ok(Bytes::from(document.to_string()))
}
