//! One signal that everything in a process ends by.

use tokio_util::sync::CancellationToken;

/// Cheap to clone; once triggered it stays so.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// Not triggered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything to end.
    pub fn trigger(&self) {
        self.token.cancel();
    }

    /// Whether it was triggered.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is triggered.
    pub async fn wait(&self) {
        self.token.cancelled().await;
    }

    /// A part that can be ended alone, and ends with the whole.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
        }
    }

    /// Runs `future` until it is done or shutdown is triggered; `None` then.
    pub async fn guard<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token.run_until_cancelled(future).await
    }
}
