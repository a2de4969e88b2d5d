//! What stands between a person's keys and a command: echo, editing of the line, history, and the keys that
//! interrupt (^C) or end the input (^D).
//!
//! kubectl puts the person's own terminal into raw mode, so all of this is the container's side to do.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::stream::Sink;

/// Lines that are remembered.
const MAX_HISTORY: usize = 100;
/// The longest line.
const MAX_LINE_BYTES: usize = 4 << 10;

/// A terminal's keyboard: reads keys, echoes them, and hands on lines.
pub struct Keyboard {
    keys: mpsc::Receiver<Bytes>,
    screen: Sink,
    lines: mpsc::Sender<Bytes>,
    interrupt: Arc<Notify>,
    line: String,
    history: Vec<String>,
    /// The place in the history that is shown.
    shown: usize,
    /// Bytes of a key that is not complete.
    pending: Vec<u8>,
}

impl Keyboard {
    /// Lines go to `lines`, ^C to `interrupt`.
    #[must_use]
    pub fn new(
        keys: mpsc::Receiver<Bytes>,
        screen: Sink,
        lines: mpsc::Sender<Bytes>,
        interrupt: Arc<Notify>,
    ) -> Self {
        Self {
            keys,
            screen,
            lines,
            interrupt,
            line: String::new(),
            history: Vec::new(),
            shown: 0,
            pending: Vec::new(),
        }
    }

    /// Reads keys until there are no more.
    pub async fn run(mut self) {
        while let Some(keys) = self.keys.recv().await {
            for &key in &*keys {
                self.press(key).await;
            }
        }
    }

    async fn echo(&self, text: &str) {
        // A screen that is gone is noticed by whoever prints.
        let _ = self.screen.write(text.as_bytes()).await;
    }

    async fn press(&mut self, key: u8) {
        if !self.pending.is_empty() {
            return self.go_on(key).await;
        }
        match key {
            b'\r' | b'\n' => {
                self.echo("\n").await;
                let line = std::mem::take(&mut self.line);
                if !line.trim().is_empty() {
                    self.history.push(line.clone());
                    if self.history.len() > MAX_HISTORY {
                        self.history.remove(0);
                    }
                }
                self.shown = self.history.len();
                self.hand_on(line + "\n").await;
            }
            0x03 => {
                self.line.clear();
                self.echo("^C\n").await;
                self.interrupt.notify_waiters();
            }
            0x04 if self.line.is_empty() => self.hand_on(String::new()).await,
            0x04 | b'\t' => {}
            0x08 | 0x7f => self.rub_out().await,
            0x0c => self.echo(&format!("\u{1b}[H\u{1b}[2J{}", self.line)).await,
            0x15 => self.replace(String::new()).await,
            0x17 => {
                let kept = self.line.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.replace(self.line[..kept].to_owned()).await;
            }
            0x1b | 0x80.. => self.pending.push(key),
            b' '..=b'~' if self.line.len() < MAX_LINE_BYTES => {
                self.line.push(char::from(key));
                self.echo(&char::from(key).to_string()).await;
            }
            _ => {}
        }
    }

    /// Goes on with an escape sequence or a character of several bytes.
    async fn go_on(&mut self, key: u8) {
        self.pending.push(key);
        if self.pending[0] == 0x1b {
            let is_open = self.pending.len() == 2 && matches!(key, b'[' | b'O');
            if is_open || (self.pending.len() > 2 && !(b'@'..=b'~').contains(&key)) {
                return;
            }
            self.pending.clear();
            match key {
                b'A' => self.recall(self.shown.saturating_sub(1)).await,
                b'B' => self.recall(self.shown + 1).await,
                _ => {}
            }
            return;
        }
        let text = std::str::from_utf8(&self.pending).map(str::to_owned);
        match text {
            Ok(text) => {
                self.line.push_str(&text);
                self.echo(&text).await;
                self.pending.clear();
            }
            Err(_) if self.pending.len() >= 4 => self.pending.clear(),
            Err(_) => {}
        }
    }

    async fn recall(&mut self, at: usize) {
        if at > self.history.len() {
            return;
        }
        self.shown = at;
        let line = self.history.get(at).cloned().unwrap_or_default();
        self.replace(line).await;
    }

    async fn rub_out(&mut self) {
        if self.line.pop().is_some() {
            self.echo("\u{8} \u{8}").await;
        }
    }

    async fn replace(&mut self, line: String) {
        let erase = "\u{8} \u{8}".repeat(self.line.chars().count());
        self.echo(&format!("{erase}{line}")).await;
        self.line = line;
    }

    async fn hand_on(&self, line: String) {
        // Where nobody reads, what is typed is lost, and ^C goes on to work.
        let _ = self.lines.try_send(line.into());
    }
}
