//! One WebSocket a browser: the whole state once, then what changed, at most every 100 ms.
//!
//! Texts on the same socket tell whether the apiserver answers. A viewer needs the rights that the view shows: to list
//! pods and nodes of the whole cluster.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{
        Query, State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::{IntoResponse, Response},
};
use coracle_api::{ApiError, Reason};
use serde::Deserialize;
use serde_json::json;

use crate::{
    proxy::{failure, status},
    run::Console,
    session::Session,
    sign_in,
    upstream::Error,
};

/// Between two messages to one browser; changes meanwhile are one.
const COALESCE: Duration = Duration::from_millis(100);
/// A browser that takes longer to read a message is hung up on; it comes back and gets the whole state.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent browser is pinged.
const PING: Duration = Duration::from_secs(20);
/// Names that one request may ask for.
const MAX_NAMES: usize = 1_000;
/// The close code for what a viewer may not see (RFC 6455: 4000 and above are the application's).
const FORBIDDEN: u16 = 4403;

const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// `GET /api/live`
pub async fn open(
    State(console): State<Console>,
    Extension(session): Extension<Arc<Session>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let shutdown = console.shutdown.clone();
        shutdown.guard(serve(socket, console, session)).await;
    })
}

async fn serve(mut socket: WebSocket, console: Console, session: Arc<Session>) {
    let mut probe = console.probe.watch();
    let state = *probe.borrow_and_update();
    if !send(
        &console,
        &mut socket,
        Message::Text(text(&json!({"state": state}))),
    )
    .await
    {
        return;
    }
    match may_look(&console, &session).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return close(&mut socket, &why).await,
        // The browser comes again.
        Err(error) => return tracing::debug!(%error, "ask for a viewer's rights"),
    }
    console.live.wait_synced().await;
    let mut changes = console.live.changes();
    let mut sent = None;
    loop {
        changes.borrow_and_update();
        let difference = console.live.since(sent);
        let is_worth = difference.is_whole || !difference.rows.is_empty() || !difference.nodes.is_empty();
        if is_worth {
            let message = Message::Binary(super::wire::encode(&difference));
            if !send(&console, &mut socket, message).await {
                return;
            }
            sent = Some(difference.position);
            console.env.transport_clock.sleep(COALESCE).await;
        }
        tokio::select! {
            biased;
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Answers to pings; a browser has nothing else to say.
                Some(Ok(_)) => {}
            },
            Ok(()) = probe.changed() => {
                let state = *probe.borrow_and_update();
                if !send(&console, &mut socket, Message::Text(text(&json!({"state": state})))).await {
                    return;
                }
            }
            Ok(()) = changes.changed() => {}
            () = console.env.transport_clock.sleep(PING) => {
                if !send(&console, &mut socket, Message::Ping(bytes::Bytes::new())).await {
                    return;
                }
                if let Some(why) = objection(&console, &session).await {
                    return close(&mut socket, &why).await;
                }
            }
        }
    }
}

/// Why a viewer may no longer look on; `None` where nothing speaks against it.
async fn objection(console: &Console, session: &Session) -> Option<String> {
    if console.sessions.find(&session.id).is_none() {
        return Some("signed out".to_owned());
    }
    if let Some(why) = sign_in::objection(console, session).await {
        return Some(why.to_owned());
    }
    may_look(console, session).await.ok()?.err()
}

/// Whether the browser took it in time.
async fn send(console: &Console, socket: &mut WebSocket, message: Message) -> bool {
    let sent = console
        .env
        .transport_clock
        .timeout(SEND_TIMEOUT, socket.send(message))
        .await;
    matches!(sent, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, why: &str) {
    let frame = CloseFrame {
        code: FORBIDDEN,
        // A close reason has at most 123 bytes.
        reason: Utf8Bytes::from(why.chars().take(100).collect::<String>()),
    };
    let _ = socket.send(Message::Close(Some(frame))).await;
}

fn text(value: &serde_json::Value) -> Utf8Bytes {
    Utf8Bytes::from(value.to_string())
}

/// Whether the viewer may see all pods and nodes, and why not. While the apiserver does not answer, what it said last
/// holds: a page stays readable, frozen, as it was.
async fn may_look(console: &Console, session: &Session) -> Result<Result<(), String>, Error> {
    let now = console.env.transport_clock.monotonic();
    let known = session.live_verdict(now);
    if let Some((true, verdict)) = known {
        return Ok(verdict);
    }
    for resource in ["pods", "nodes"] {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "list", "version": "v1", "resource": resource}},
        });
        let answer = console
            .upstream
            .review(Some(&session.viewer), ACCESS_REVIEWS, &review)
            .await;
        match (answer, &known) {
            (Ok(answer), _) if answer["status"]["allowed"] == json!(true) => {}
            (Ok(_), _) => {
                let why = format!(
                    "{} may not list {resource} of the whole cluster",
                    session.viewer.user
                );
                session.set_live_verdict(now, Err(why.clone()));
                return Ok(Err(why));
            }
            (Err(_), Some((_, verdict))) => return Ok(verdict.clone()),
            (Err(error), None) => return Err(error),
        }
    }
    session.set_live_verdict(now, Ok(()));
    Ok(Ok(()))
}

/// Rows of which somebody wants the names.
#[derive(Deserialize)]
pub struct Rows {
    rows: String,
}

/// `GET /api/live/names?rows=1,2`: an array of `[namespace, name]`, or null for a pod that is gone.
pub async fn names(
    State(console): State<Console>,
    Extension(session): Extension<Arc<Session>>,
    Query(Rows { rows }): Query<Rows>,
) -> Response {
    match may_look(&console, &session).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return status(&ApiError::new(Reason::Forbidden, why)),
        Err(error) => return failure(&error),
    }
    let rows: Result<Vec<u32>, _> = rows.split(',').take(MAX_NAMES).map(str::parse).collect();
    match rows {
        Ok(rows) => Json(console.live.names(&rows)).into_response(),
        Err(_) => status(&ApiError::bad_request(
            "rows must be numbers, separated by commas",
        )),
    }
}
