//! Log lines: structured fields on standard error, one process-wide subscriber.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, message, fields.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `filter` is a level ("info") or directives ("info,coracle_store=debug").
///
/// # Errors
/// A text naming the directive that cannot be read, or that logging was started before.
pub fn init(filter: &str, format: Format) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| format!("read log filter {filter:?}: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    }
    .map_err(|error| format!("start logging: {error}"))
}
