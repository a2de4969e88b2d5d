//! Streams a container's log.

use std::{sync::Arc, time::Duration};

use coracle_proto::v1::{LogsRequest, LogsResponse};
use coracle_service::Spawn;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tonic::Status;

use super::{Answers, Server};
use crate::{
    logs::{
        Log,
        reader::{Reader, Selection},
    },
    pods::inbox::{LogQuery, Message, QueryError},
};

impl Server {
    pub(super) async fn stream_logs(&self, request: LogsRequest) -> Result<Answers<LogsResponse>, Status> {
        let selection = selection(&request, self.env.cluster_clock.now())?;
        let follow = request.follow;
        let query = LogQuery {
            namespace: request.namespace,
            pod: request.pod,
            uid: request.pod_uid,
            container: request.container,
            previous: request.previous,
        };
        let log = self.find(query).await?;
        let spawn = self.env.spawn;
        let reader = blocking(spawn, move || Reader::open(log, selection)).await?;
        let chunks = futures::stream::try_unfold(reader, move |mut reader| async move {
            loop {
                let (back, chunk) = blocking(spawn, move || {
                    let chunk = reader.next_chunk()?;
                    Ok((reader, chunk))
                })
                .await?;
                reader = back;
                if let Some(data) = chunk {
                    return Ok(Some((LogsResponse { data: data.into() }, reader)));
                }
                if !follow || reader.is_exhausted() || !reader.changed().await {
                    return Ok(None);
                }
            }
        });
        Ok(Box::pin(chunks))
    }

    async fn find(&self, query: LogQuery) -> Result<Arc<Log>, Status> {
        let (reply, answer) = oneshot::channel();
        let ended = |_| Status::unavailable("the node is shutting down");
        self.manager
            .send(Message::FindLog(query, reply))
            .await
            .map_err(|error| ended(error.to_string()))?;
        let found = answer.await.map_err(|error| ended(error.to_string()))?;
        found.map_err(|error| match error {
            QueryError::NoPod(_) => Status::not_found(error.to_string()),
            QueryError::NoContainer(_) => Status::invalid_argument(error.to_string()),
            QueryError::NoInstance(_) => Status::failed_precondition(error.to_string()),
        })
    }
}

fn selection(request: &LogsRequest, now: Timestamp) -> Result<Selection, Status> {
    let since = match (request.since_seconds, request.since_time.as_str()) {
        (Some(seconds), _) => {
            let seconds =
                u64::try_from(seconds).map_err(|_| Status::invalid_argument("since_seconds is negative"))?;
            now.checked_sub(Duration::from_secs(seconds)).ok()
        }
        (None, "") => None,
        (None, text) => Some(
            text.parse()
                .map_err(|_| Status::invalid_argument(format!("since_time {text:?} is not RFC 3339")))?,
        ),
    };
    let count = |value: Option<i64>, name: &str| {
        value
            .map(|value| {
                u64::try_from(value).map_err(|_| Status::invalid_argument(format!("{name} is negative")))
            })
            .transpose()
    };
    let tail = count(request.tail_lines, "tail_lines")?;
    Ok(Selection {
        since,
        tail: tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX)),
        timestamps: request.timestamps,
        limit_bytes: count(request.limit_bytes, "limit_bytes")?,
    })
}

async fn blocking<T: Send + 'static>(
    spawn: Spawn,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    let outcome = spawn.blocking(work).await.and_then(|outcome| outcome);
    outcome.map_err(|error| Status::internal(format!("read log: {error}")))
}
