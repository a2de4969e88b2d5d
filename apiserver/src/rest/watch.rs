//! A watch as HTTP sees it: one JSON line an event, each object's bytes copied into its line as they stand.
//!
//! The stream ends at its deadline, when the server shuts down, or after an ERROR event; the client resumes from the
//! last resourceVersion that it saw.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use coracle_api::ApiError;
use coracle_service::Clock;
use futures::stream;
use http::StatusCode;
use tokio::time::Instant;

use super::path::Target;
use super::query::ReadOptions;
use super::render::Renderer;
use super::{Door, error};
use crate::registry::{Event, EventKind, Start, Watch, WatchRequest};

/// How long a watch lives whose client does not say: between this and twice this, so that not all end at once.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// The longest that a client may ask for.
const MAX_TIMEOUT_SECONDS: u64 = 24 * 60 * 60;

/// Begins a watch and answers with its stream.
///
/// # Errors
/// Whatever the registry refuses, but a revision that is too old is told in the stream, as clients expect it.
pub(crate) fn respond(
    door: &Arc<Door>,
    target: &Target,
    options: ReadOptions,
    renderer: Renderer,
) -> Result<Response, ApiError> {
    let content_type = "application/json";
    let from = match (
        options.revision.filter(|revision| *revision > 0),
        options.initial_events,
    ) {
        (Some(revision), None | Some(false)) => Start::After(revision),
        (None, None) | (_, Some(true)) => Start::Now { initial: true },
        (None, Some(false)) => Start::Now { initial: false },
    };
    let current = door.registry.revision();
    if let Some(revision) = options.revision.filter(|revision| *revision > current) {
        return Err(ApiError::too_large_resource_version(revision, current));
    }
    let timeout = options.timeout_seconds.map_or_else(
        || DEFAULT_TIMEOUT + Duration::from_secs(door.env.random.below(DEFAULT_TIMEOUT.as_secs())),
        |seconds| Duration::from_secs(seconds.min(MAX_TIMEOUT_SECONDS)),
    );
    let request = WatchRequest {
        resource: target.resource,
        namespace: target.namespace.clone(),
        labels: options.labels,
        fields: options.fields,
        node_names: Vec::new(),
        from,
        bookmarks: options.bookmarks,
    };
    let watch = match door.registry.watch(request) {
        Ok(watch) => watch,
        Err(failure) if failure.is_expired() => {
            let mut line = Vec::new();
            error_line(&mut line, &failure);
            return Ok(error::respond(StatusCode::OK, content_type, Body::from(line)));
        }
        Err(failure) => return Err(failure),
    };
    let lines = Lines {
        watch,
        renderer,
        cluster_clock: door.env.cluster_clock.clone(),
        door: Arc::clone(door),
        deadline: door.env.transport_clock.monotonic() + timeout,
        tell_synced: options.initial_events == Some(true),
        is_first: true,
        has_ended: false,
    };
    let lines = stream::unfold(lines, |mut lines| async move {
        let text = lines.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), lines))
    });
    Ok(error::respond(
        StatusCode::OK,
        content_type,
        Body::from_stream(lines),
    ))
}

struct Lines {
    watch: Watch,
    renderer: Renderer,
    cluster_clock: Clock,
    door: Arc<Door>,
    deadline: Instant,
    /// The client asked for the present state and waits to hear that it has all of it.
    tell_synced: bool,
    /// Only the first table of a stream tells its columns.
    is_first: bool,
    has_ended: bool,
}

impl Lines {
    /// The lines of all events that are ready; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended {
            let events = tokio::select! {
                biased;
                () = self.door.shutdown.wait() => None,
                () = self.door.env.transport_clock.sleep_until(self.deadline) => None,
                events = self.watch.next() => events,
            };
            let mut text = Vec::new();
            match events {
                None => self.has_ended = true,
                Some(Ok(events)) => {
                    self.renderer.set_now(self.cluster_clock.now());
                    for event in &events {
                        self.line(&mut text, event);
                    }
                }
                Some(Err(failure)) => {
                    self.has_ended = true;
                    error_line(&mut text, &failure);
                }
            }
            if !text.is_empty() {
                return Some(text.into());
            }
        }
        None
    }

    fn line(&mut self, out: &mut Vec<u8>, event: &Event) {
        let kind = match event.kind {
            EventKind::Added => "ADDED",
            EventKind::Modified => "MODIFIED",
            EventKind::Deleted => "DELETED",
            EventKind::Synced if !self.tell_synced => return,
            EventKind::Synced | EventKind::Bookmark => "BOOKMARK",
        };
        out.extend_from_slice(br#"{"type":""#);
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(br#"","object":"#);
        match &event.entry {
            Some(entry) => {
                self.renderer.event_object(out, &entry.json, self.is_first);
                self.is_first = false;
            }
            None => self
                .renderer
                .bookmark(out, event.revision, event.kind == EventKind::Synced),
        }
        out.extend_from_slice(b"}\n");
    }
}

fn error_line(out: &mut Vec<u8>, failure: &ApiError) {
    out.extend_from_slice(br#"{"type":"ERROR","object":"#);
    out.extend_from_slice(&failure.to_json());
    out.extend_from_slice(b"}\n");
}
