//! The streams of a container's main command: what it prints goes to the log and to whoever is attached, and who is
//! attached may type.

use std::sync::Arc;

use bytes::Bytes;
use coracle_service::Clock;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc};

use crate::logs::{Log, MAX_LINE_BYTES};

/// Pieces of output that one who is attached may be behind; what is older is lost to him, and stays in the log.
const MAX_BEHIND: usize = 256;
/// Pieces of input that wait to be read.
const MAX_TYPED: usize = 64;

/// See the module.
pub struct Console {
    log: Arc<Log>,
    clock: Clock,
    /// What was printed since the last end of a line.
    partial: Mutex<Vec<u8>>,
    printed: broadcast::Sender<Bytes>,
    typed: Mutex<Option<mpsc::Sender<Bytes>>>,
    /// Whether who is attached sees a terminal.
    pub has_terminal: bool,
}

impl Console {
    /// A console over a log, and what is typed on it.
    #[must_use]
    pub fn new(log: Arc<Log>, clock: Clock, has_terminal: bool) -> (Arc<Self>, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(MAX_TYPED);
        let console = Self {
            log,
            clock,
            partial: Mutex::default(),
            printed: broadcast::channel(MAX_BEHIND).0,
            typed: Mutex::new(Some(sender)),
            has_terminal,
        };
        (Arc::new(console), receiver)
    }

    /// Prints; whole lines go to the log.
    pub fn write(&self, data: &[u8]) {
        {
            let mut partial = self.partial.lock();
            partial.extend_from_slice(data);
            let end = partial.iter().rposition(|&byte| byte == b'\n').map(|end| end + 1);
            let end = end.or_else(|| (partial.len() > MAX_LINE_BYTES).then_some(partial.len()));
            if let Some(end) = end {
                let lines: Vec<u8> = partial.drain(..end).collect();
                self.log.write(self.clock.now(), &String::from_utf8_lossy(&lines));
            }
        }
        // Nobody may be attached.
        let _ = self.printed.send(Bytes::copy_from_slice(data));
    }

    /// Writes what has no end of a line.
    pub fn flush(&self) {
        let rest = std::mem::take(&mut *self.partial.lock());
        if !rest.is_empty() {
            self.log.write(self.clock.now(), &String::from_utf8_lossy(&rest));
        }
    }

    /// What is printed from now on.
    #[must_use]
    pub fn printed(&self) -> broadcast::Receiver<Bytes> {
        self.printed.subscribe()
    }

    /// Where to type; `None` once nobody reads any more.
    #[must_use]
    pub fn typing(&self) -> Option<mpsc::Sender<Bytes>> {
        self.typed.lock().clone()
    }

    /// Nobody can type any more: the command sees the end of its input.
    pub fn close_input(&self) {
        self.typed.lock().take();
    }
}
