//! Writes of the leader, sent until their outcome is known.
//!
//! A batch whose answer was lost may have been stored. Deciding anew on a guess could promise a node twice, so the
//! same writes are sent again until each was judged: those that had been stored are then refused as conflicts, which
//! the caller resolves by looking. Every write carries the leader's fence, so this ends at the latest with the lease.

use std::{sync::Arc, time::Duration};

use coracle_api::ApiError;
use coracle_client::{BatchOptions, Fence, Object, ObjectApi, Write};
use coracle_runtime::Backoff;
use coracle_service::Env;

/// Waits before the same writes are sent again.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The lease has passed to another: nothing more may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced;

impl std::fmt::Display for Fenced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("write as the leading scheduler: the lease has passed to another")
    }
}

impl std::error::Error for Fenced {}

/// Writes under the leader's lease. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    /// Where to.
    pub api: Arc<dyn ObjectApi>,
    /// Under which lease.
    pub fence: Fence,
    /// Clocks and randomness.
    pub env: Env,
}

impl Writer {
    /// Sends the writes until each was judged; an outcome each, in order. Callers keep within
    /// [`coracle_client::object_api::MAX_BATCH`].
    ///
    /// # Errors
    /// [`Fenced`] where one was refused because of the lease.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<Result<Object, ApiError>>, Fenced> {
        let options = BatchOptions {
            fence: Some(self.fence.clone()),
            without_bodies: true,
            ..BatchOptions::default()
        };
        let mut outcomes: Vec<Option<Result<Object, ApiError>>> = vec![None; writes.len()];
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            let open: Vec<usize> = (0..writes.len()).filter(|at| outcomes[*at].is_none()).collect();
            if open.is_empty() {
                return Ok(outcomes.into_iter().flatten().collect());
            }
            let batch = open.iter().map(|at| writes[*at].clone()).collect();
            match self.api.batch(batch, &options).await {
                Ok(answers) => {
                    for (at, answer) in open.into_iter().zip(answers) {
                        match answer {
                            Err(error) if error.is_fenced() => return Err(Fenced),
                            Err(error) if error.is_transient() => tracing::debug!(%error, "write again"),
                            judged => outcomes[at] = Some(judged),
                        }
                    }
                }
                Err(error) if error.is_fenced() => return Err(Fenced),
                Err(error) if error.is_transient() || error.code() >= 500 => {
                    tracing::debug!(%error, "write batch again");
                }
                Err(error) => {
                    open.into_iter()
                        .for_each(|at| outcomes[at] = Some(Err(error.clone())));
                }
            }
            if outcomes.iter().any(Option::is_none) {
                self.env
                    .transport_clock
                    .sleep(backoff.next(&self.env.random))
                    .await;
            }
        }
    }
}
