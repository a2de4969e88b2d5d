//! Waiting for a condition, with a deadline and never for a time.

use std::time::Duration;

use coracle_service::Clock;

/// Between two looks.
const POLL: Duration = Duration::from_millis(10);

/// Asks `probe` until it gives something.
///
/// # Errors
/// The probe's last failure, where it gave nothing within `limit`.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut probe: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let clock = Clock::system();
    let deadline = clock.monotonic() + limit;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if clock.monotonic() >= deadline => {
                return Err(error.context(format!("wait {limit:?} for {what}")));
            }
            Err(_) => clock.sleep(POLL).await,
        }
    }
}
