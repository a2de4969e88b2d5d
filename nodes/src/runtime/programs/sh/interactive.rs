//! The shell before a person, and the shell that reads its script from its input.

use super::{
    interpreter::{Flow, Outcome, Shell},
    parser::{self, Error},
    stream::Streams,
};

/// The longest command that is typed over several lines, in bytes.
const MAX_COMMAND_BYTES: usize = 1 << 20;

impl Shell {
    /// Reads commands from the input and runs them, until it ends or `exit`. With a person before it, it prompts.
    pub(super) async fn read_commands(&mut self, streams: &Streams) -> Outcome {
        let mut pending = String::new();
        loop {
            let Some(line) = self.next_line(&pending, streams).await else {
                break;
            };
            let Some(line) = line else {
                pending.clear();
                continue;
            };
            pending.push_str(&line);
            match parser::parse(&pending) {
                Err(Error::Incomplete) if pending.len() < MAX_COMMAND_BYTES => continue,
                Err(error) => {
                    self.fail(&error.to_string(), streams).await;
                    self.status = 2;
                    if self.world.interrupt.is_none() {
                        return Ok(2);
                    }
                }
                Ok(list) => match self.run_typed(&list, streams).await {
                    Ok(status) => self.status = status,
                    Err(Flow::Exit(status)) => return Ok(status),
                    Err(Flow::Fault(status)) if self.world.interrupt.is_none() => return Ok(status),
                    Err(Flow::Fault(status) | Flow::Return(status)) => self.status = status,
                    Err(Flow::Break(_) | Flow::Continue(_)) => {}
                },
            }
            pending.clear();
        }
        if !pending.trim().is_empty() && self.world.interrupt.is_none() {
            return Ok(self.script(&pending, streams).await);
        }
        Ok(self.status)
    }

    /// The next line; `Some(None)` where ^C was typed instead, `None` at the end.
    async fn next_line(&mut self, pending: &str, streams: &Streams) -> Option<Option<String>> {
        let Some(interrupt) = self.world.interrupt.clone() else {
            let line = streams.input.line().await.ok()??;
            return Some(Some(String::from_utf8_lossy(&line).into_owned()));
        };
        let prompt = match pending.is_empty() {
            true => format!("{} # ", self.directory),
            false => "> ".to_owned(),
        };
        streams.errors.write(prompt.as_bytes()).await.ok()?;
        tokio::select! {
            biased;
            () = interrupt.notified() => Some(None),
            line = streams.input.line() => match line.ok()? {
                Some(line) => Some(Some(String::from_utf8_lossy(&line).into_owned())),
                None => {
                    let _ = streams.errors.write(b"\n").await;
                    None
                }
            },
        }
    }

    /// Runs what was typed; ^C ends it.
    async fn run_typed(&mut self, list: &super::syntax::List, streams: &Streams) -> Outcome {
        let Some(interrupt) = self.world.interrupt.clone() else {
            return self.list(list, streams).await;
        };
        let interrupted = interrupt.notified();
        tokio::pin!(interrupted);
        interrupted.as_mut().enable();
        let outcome = tokio::select! {
            biased;
            () = interrupted => None,
            outcome = self.list(list, streams) => Some(outcome),
        };
        outcome.unwrap_or_else(|| {
            self.reset();
            Ok(super::INTERRUPTED)
        })
    }
}
