//! One call to the storage service, tried until the server answers.

use std::time::Duration;

use coracle_proto::v1::storage_service_client::StorageServiceClient;
use coracle_service::{Clock, Env, Random};
use tonic::{Response, Status, transport::Channel};

use super::error::{Error, Failure};

/// How long one attempt may take. Longer than any disk should, as an attempt that is given up may still be carried
/// out.
const ATTEMPT: Duration = Duration::from_secs(20);
/// First and longest wait between attempts. There is no last one: a hard mount waits for its server.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(1);
/// What an answer may take: the largest read and its framing.
const MAX_MESSAGE_BYTES: usize = (1 << 20) + (64 << 10);

/// The way to one server; cheap to clone.
#[derive(Clone)]
pub(super) struct Transport {
    client: StorageServiceClient<Channel>,
    clock: Clock,
    pub random: Random,
}

/// How a call ended.
pub(super) struct Answer<T> {
    pub outcome: Result<T, Error>,
    /// Whether an earlier attempt may have been carried out, its answer lost.
    pub retried: bool,
}

/// The outcome of a call that may be repeated at will.
pub(super) fn answered<T>(answer: Answer<T>) -> Result<T, Error> {
    answer.outcome
}

impl Transport {
    pub fn new(channel: Channel, env: &Env) -> Self {
        let client = StorageServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self {
            client,
            clock: env.transport_clock.clone(),
            random: env.random.clone(),
        }
    }

    /// Sends `request` until it is answered; `path` is what errors name.
    pub async fn call<Q: Clone, T, F>(
        &self,
        request: Q,
        path: &str,
        send: impl Fn(StorageServiceClient<Channel>, Q) -> F,
    ) -> Answer<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut wait = FIRST_RETRY;
        let mut retried = false;
        loop {
            let attempt = send(self.client.clone(), request.clone());
            let outcome = self.clock.timeout(ATTEMPT, attempt).await;
            let outcome =
                outcome.unwrap_or_else(|_| Err(Status::deadline_exceeded("the server did not answer")));
            let status = match outcome.map_err(|status| Failure::of(status, path)) {
                Ok(response) => {
                    return Answer {
                        outcome: Ok(response.into_inner()),
                        retried,
                    };
                }
                Err(Failure::Final(error)) => {
                    return Answer {
                        outcome: Err(error),
                        retried,
                    };
                }
                Err(Failure::Transient(status)) => status,
            };
            if wait == FIRST_RETRY || wait == LAST_RETRY {
                tracing::warn!(path, %status, "storage service does not answer; trying on");
            }
            retried = true;
            self.clock.sleep(self.random.jitter(wait)).await;
            wait = (wait * 2).min(LAST_RETRY);
        }
    }
}
