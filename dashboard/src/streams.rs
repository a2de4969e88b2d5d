//! `/api/streams`: many watches and logs of one browser over one WebSocket.
//!
//! A browser opens six HTTP/1.1 connections to a host, for all its tabs together, and a watch holds one for as long as
//! it lives; WebSockets do not count. The browser says `{"open": {"id", "path", "accept"}}` and `{"close": id}`. It hears
//! `L`, the id, a line feed and whole lines of the answer; and at the end `E`, the id, a line feed, the HTTP status of a
//! refusal (0 for none), a line feed and the refusal's body. A slow browser slows its own streams and nothing else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use coracle_service::Shutdown;
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use http_body_util::{BodyExt, BodyStream, Limited};
use serde::Deserialize;
use tokio::sync::mpsc;
use tonic::body::Body;

use crate::{proxy, run::Console, session::Session, sign_in};

/// Streams of one browser's page.
const MAX_STREAMS: usize = 64;
/// Messages between all streams of a page and its socket; a stream waits where there is no room.
const QUEUE: usize = 64;
/// A line longer than this ends its stream: an object has at most 3 MiB.
const MAX_LINE_BYTES: usize = 8 << 20;
/// What is told of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// What a browser may say at once.
const MAX_ASK_BYTES: usize = 16 << 10;
/// A browser that takes longer to read a message is hung up on.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent browser is pinged, and its session looked at.
const PING: Duration = Duration::from_secs(20);

/// What a browser says.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Ask {
    Open { id: u32, path: String, accept: String },
    Close(u32),
}

/// `GET /api/streams`
pub async fn open(
    State(console): State<Console>,
    Extension(session): Extension<Arc<Session>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(MAX_ASK_BYTES)
        .on_upgrade(async move |socket| {
            let all = console.shutdown.child();
            all.guard(serve(socket, &console, &session, &all)).await;
            // Whatever still streams to this page ends with it.
            all.trigger();
        })
}

async fn serve(socket: WebSocket, console: &Console, session: &Arc<Session>, all: &Shutdown) {
    let clock = &console.env.transport_clock;
    let (mut sending, mut hearing) = socket.split();
    let (sender, mut queue) = mpsc::channel(QUEUE);
    let mut streams: HashMap<u32, Shutdown> = HashMap::new();
    loop {
        let message = tokio::select! {
            biased;
            heard = hearing.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    match serde_json::from_str(&text) {
                        Ok(Ask::Close(id)) => {
                            streams.remove(&id).inspect(Shutdown::trigger);
                        }
                        Ok(Ask::Open { id, path, accept }) => {
                            streams.retain(|_, stop| !stop.is_triggered());
                            let stop = all.child();
                            if streams.len() < MAX_STREAMS {
                                streams.insert(id, stop.clone());
                            } else {
                                // Told by the stream's end, as any refusal.
                                stop.trigger();
                            }
                            start(id, &path, &accept, console, session, sender.clone(), stop);
                        }
                        Err(_) => return,
                    }
                    continue;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            Some(message) = queue.recv() => message,
            () = clock.sleep(PING) => {
                let is_over = console.sessions.find(&session.id).is_none()
                    || sign_in::objection(console, session).await.is_some();
                if is_over {
                    return;
                }
                Message::Ping(bytes::Bytes::new())
            }
        };
        let sent = clock.timeout(SEND_TIMEOUT, sending.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// Begins one stream as a task of its own.
fn start(
    id: u32,
    path: &str,
    accept: &str,
    console: &Console,
    session: &Arc<Session>,
    sender: mpsc::Sender<Message>,
    stop: Shutdown,
) {
    let request = format!("{}{path}", proxy::PREFIX)
        .parse()
        .ok()
        .and_then(|uri| proxy::target(&uri))
        .zip(HeaderValue::from_str(accept).ok())
        .map(|(uri, accept)| {
            let mut request = http::Request::new(Body::empty());
            *request.uri_mut() = uri;
            request.headers_mut().insert(header::ACCEPT, accept);
            request
        });
    let (console, session) = (console.clone(), Arc::clone(session));
    let spawn = console.env.spawn;
    spawn.task("stream", async move {
        if stop.is_triggered() {
            return end(&sender, id, 429, "this page has too many streams").await;
        }
        let Some(request) = request else {
            return end(&sender, id, 400, "this path is not served here").await;
        };
        stop.guard(follow(id, request, &console, &session, &sender)).await;
        stop.trigger();
    });
}

async fn follow(
    id: u32,
    request: http::Request<Body>,
    console: &Console,
    session: &Session,
    sender: &mpsc::Sender<Message>,
) {
    let answer = match console.upstream.send(Some(&session.viewer), request).await {
        Ok(answer) => answer,
        Err(error) => {
            console.probe.suspect();
            return end(sender, id, 503, &error.to_string()).await;
        }
    };
    if !answer.status().is_success() {
        let code = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_REFUSAL_BYTES)
            .collect()
            .await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        return end(sender, id, code, &String::from_utf8_lossy(&body)).await;
    }
    let mut frames = BodyStream::new(answer.into_body());
    let mut lines = Lines::default();
    while let Some(Ok(frame)) = frames.next().await {
        let Ok(data) = frame.into_data() else { continue };
        if let Some(whole) = lines.take(&data)
            && sender.send(tell(id, &whole)).await.is_err()
        {
            return;
        }
        if lines.rest.len() > MAX_LINE_BYTES {
            return end(sender, id, 413, "a line is too long").await;
        }
    }
    if !lines.rest.is_empty() && sender.send(tell(id, &lines.rest)).await.is_err() {
        return;
    }
    end(sender, id, 0, "").await;
}

fn tell(id: u32, lines: &[u8]) -> Message {
    Message::text(format!("L{id}\n{}", String::from_utf8_lossy(lines)))
}

async fn end(sender: &mpsc::Sender<Message>, id: u32, code: u16, why: &str) {
    let _ = sender.send(Message::text(format!("E{id}\n{code}\n{why}"))).await;
}

/// Bytes that do not make a line yet.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The whole lines that there are now, without the last line feed.
    fn take(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let Some(end) = data.iter().rposition(|&byte| byte == b'\n') else {
            self.rest.extend_from_slice(data);
            return None;
        };
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(&data[..end]);
        self.rest.extend_from_slice(&data[end + 1..]);
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_whole() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"one"), None);
        assert_eq!(
            lines.take(b" line\ntwo\nthr").as_deref(),
            Some(&b"one line\ntwo"[..])
        );
        assert_eq!(lines.take(b"ee\n").as_deref(), Some(&b"three"[..]));
        assert!(lines.rest.is_empty());
    }

    #[test]
    fn what_a_browser_says_is_read_strictly() {
        let read = |text: &str| serde_json::from_str::<Ask>(text).is_ok();
        assert!(read(
            r#"{"open": {"id": 1, "path": "/api/v1/pods?watch=1", "accept": "*/*"}}"#
        ));
        assert!(read(r#"{"close": 1}"#));
        assert!(!read(
            r#"{"open": {"id": 1, "path": "/", "accept": "", "method": "DELETE"}}"#
        ));
        assert!(!read("{}"));
    }
}
