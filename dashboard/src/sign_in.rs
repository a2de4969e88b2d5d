//! Signing in: by a token that the apiserver accepts, or by the one-time code of a link.
//!
//! A link is made for whoever asks over TLS with a certificate of the cluster; `coracle dashboard` asks with the
//! administrator's. The code travels in the link's fragment, which browsers send to nobody, and is good once.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coracle_api::{ApiError, Reason};
use coracle_service::{Peer, serve::Plain};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    proxy::{failure, status},
    run::Console,
    session::Session,
    upstream::Error,
};

/// The cookie's name. A port of its own, for cookies of one host are shared by all its ports.
fn cookie_name(console: &Console) -> String {
    format!("coracle-dashboard-{}", console.guard.port())
}

const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// What a browser signs in with.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Proof {
    /// A bearer token: a service account's, for example.
    Token(String),
    /// The code of a link.
    Code(String),
}

/// `POST /api/sign-in`
pub async fn sign_in(
    State(console): State<Console>,
    plain: Option<Extension<Plain>>,
    Json(proof): Json<Proof>,
) -> Response {
    let session = match proof {
        Proof::Code(code) => match console.sessions.use_code(&code) {
            Some(session) => session,
            None => {
                return refuse(
                    "this link was used already or is too old: make another with `coracle dashboard --url`",
                );
            }
        },
        Proof::Token(token) => match review(&console, token.trim()).await {
            Ok(Some(viewer)) => console.sessions.begin(viewer, Some(token.trim().to_owned())),
            Ok(None) => return refuse("the apiserver does not accept this token"),
            Err(error) => return failure(&error),
        },
    };
    tracing::info!(user = session.viewer.user, "viewer signed in");
    let secure = if plain.is_some() { "" } else { "; Secure" };
    let cookie = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
        cookie_name(&console),
        session.id
    );
    ([(header::SET_COOKIE, cookie)], Json(about(&session))).into_response()
}

/// `POST /api/sign-out`
pub async fn sign_out(
    State(console): State<Console>,
    Extension(session): Extension<Arc<Session>>,
) -> impl IntoResponse {
    console.sessions.end(&session.id);
    let cookie = format!(
        "{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
        cookie_name(&console)
    );
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT)
}

/// `GET /api/me`
pub async fn me(Extension(session): Extension<Arc<Session>>) -> Json<Value> {
    Json(about(&session))
}

fn about(session: &Session) -> Value {
    json!({"user": session.viewer.user, "groups": session.viewer.groups})
}

/// `POST /api/links`: a code for whoever the certificate proves the caller to be.
pub async fn make_link(State(console): State<Console>, Extension(peer): Extension<Arc<Peer>>) -> Response {
    if peer.is_anonymous() {
        return refuse("a link is made only for a caller with a certificate of the cluster");
    }
    Json(json!({"code": console.sessions.make_code(Peer::clone(&peer))})).into_response()
}

/// Lets a request pass with its session, or answers that there is none.
pub async fn require_session(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let found = cookie(request.headers(), &cookie_name(&console)).and_then(|id| console.sessions.find(id));
    let Some(session) = found else {
        return refuse("sign in first");
    };
    if let Some(why) = objection(&console, &session).await {
        return refuse(why);
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

/// Why a session may not go on, which then ends; `None` where nothing speaks against it.
pub async fn objection(console: &Console, session: &Session) -> Option<&'static str> {
    let now = console.env.transport_clock.monotonic();
    let token = session.token.as_ref().filter(|_| session.is_token_stale(now))?;
    match review(console, token).await {
        Ok(Some(viewer)) if viewer.user == session.viewer.user => {
            session.token_accepted(now);
            None
        }
        // What cannot be asked now is asked at the next request; the apiserver lets nothing pass meanwhile.
        Err(Error::Unreachable(_)) => None,
        Ok(_) | Err(_) => {
            console.sessions.end(&session.id);
            Some("the token that you signed in with is no longer valid")
        }
    }
}

/// Who a token belongs to; `None` where the apiserver does not accept it.
async fn review(console: &Console, token: &str) -> Result<Option<Peer>, Error> {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token},
    });
    let answer = console.upstream.review(None, TOKEN_REVIEWS, &review).await?;
    let status = &answer["status"];
    if status["authenticated"] != json!(true) {
        return Ok(None);
    }
    let groups = status["user"]["groups"].as_array();
    Ok(status["user"]["username"].as_str().map(|user| Peer {
        user: user.to_owned(),
        groups: groups
            .into_iter()
            .flatten()
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect(),
        ..Peer::default()
    }))
}

fn refuse(why: &str) -> Response {
    status(&ApiError::new(Reason::Unauthorized, why))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=1; coracle-dashboard-84431=no; coracle-dashboard-8443=yes"),
        );
        assert_eq!(cookie(&headers, "coracle-dashboard-8443"), Some("yes"));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
