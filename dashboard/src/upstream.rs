//! The apiserver's REST door, called in a viewer's name or in the dashboard's own.
//!
//! One HTTP/2 connection carries everybody's requests; who is meant is said by impersonation, which the dashboard's own
//! role allows and which the apiserver's audit log shows with both names.

use bytes::Bytes;
use coracle_service::{
    Env, Identity, Peer, connect,
    identity::{AUTHENTICATED, UNAUTHENTICATED},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::Value;
use tonic::{body::Body, transport::Channel};
use tower::{Service, ServiceExt};

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
/// The largest answer that is read as a whole: reviews are small.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver does not answer.
    #[error("reach the apiserver: {0}")]
    Unreachable(String),
    /// A name that fits in no header.
    #[error("name the viewer {0:?} in a request")]
    Viewer(String),
    /// An answer that is no JSON, or too long.
    #[error("read the apiserver's answer: {0}")]
    Answer(String),
    /// The apiserver refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// Its Status' message.
        message: String,
    },
}

/// A client of the REST door; cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    channel: Channel,
}

impl Upstream {
    /// Of the apiserver at `authority`, which is dialed at the first call.
    ///
    /// # Errors
    /// A text where `authority` is not HOST:PORT.
    pub fn new(authority: &str, env: &Env, identity: &Identity) -> Result<Self, String> {
        Ok(Self {
            channel: connect::channel(authority, env, identity)?,
        })
    }

    /// Sends a request, in the viewer's name where there is one.
    ///
    /// # Errors
    /// [`Error::Unreachable`], or [`Error::Viewer`].
    pub async fn send(
        &self,
        viewer: Option<&Peer>,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        if let Some(viewer) = viewer {
            impersonate(viewer, request.headers_mut())?;
        }
        let unreachable = |error: tonic::transport::Error| Error::Unreachable(chain(&error));
        let mut channel = self.channel.clone();
        let ready = channel.ready().await.map_err(unreachable)?;
        ready.call(request).await.map_err(unreachable)
    }

    /// Posts a review and returns it with its status.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn review(&self, viewer: Option<&Peer>, path: &str, body: &Value) -> Result<Value, Error> {
        let body = Full::new(Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::new(body))
            .map_err(|error| Error::Answer(error.to_string()))?;
        let response = self.send(viewer, request).await?;
        let code = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| Error::Answer(error.to_string()))?
            .to_bytes();
        let answer: Value =
            serde_json::from_slice(&body).map_err(|error| Error::Answer(error.to_string()))?;
        if code.is_success() {
            return Ok(answer);
        }
        Err(Error::Refused {
            code: code.as_u16(),
            message: answer["message"].as_str().unwrap_or("no reason given").to_owned(),
        })
    }
}

/// Says in `headers` who is meant. Groups that everybody has follow from the rest and are not asked for.
fn impersonate(viewer: &Peer, headers: &mut HeaderMap) -> Result<(), Error> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Error::Viewer(text.to_owned()));
    headers.insert(USER, value(&viewer.user)?);
    headers.remove(GROUP);
    for group in &viewer.groups {
        if group != AUTHENTICATED && group != UNAUTHENTICATED {
            headers.append(GROUP, value(group)?);
        }
    }
    Ok(())
}

/// An error with what caused it: the transport's own text is "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_named_and_the_groups_of_everybody_are_not() {
        let mut headers = HeaderMap::new();
        headers.insert(GROUP, HeaderValue::from_static("system:masters"));
        let viewer = Peer::new("jane", &["ops", AUTHENTICATED, "dev"]);
        impersonate(&viewer, &mut headers).unwrap();
        assert_eq!(headers.get(USER).unwrap(), "jane");
        let groups: Vec<_> = headers.get_all(GROUP).iter().collect();
        assert_eq!(groups, ["ops", "dev"]);
        assert!(impersonate(&Peer::new("a\nb", &[]), &mut headers).is_err());
    }
}
