//! The watch cache and the delivery of changes to watchers.
//!
//! [`WatchCache`] holds the latest state of every object and a window of recent changes; the store's writer feeds it
//! before it acknowledges a write. A [`Watch`] is one watcher's view. All of them share the bytes of the objects, and
//! selectors look at [`Attributes`] alone: no JSON is parsed or written here.

mod cache;
mod entry;
mod event;
mod filter;
mod hub;
mod queue;
#[cfg(test)]
mod tests;
mod watcher;
mod window;

pub use cache::{Describe, Observer, Page, WatchCache};
pub use entry::{Attributes, Entry};
use event::Change;
pub use event::{Event, EventKind};
pub use filter::Filter;
pub use queue::{MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS};
pub use watcher::Watch;
pub use window::MAX_WINDOW_BYTES;
