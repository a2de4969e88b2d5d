//! The writer: judges a group, makes it durable, publishes it, acknowledges it. In that order, one group at a
//! time.
//!
//! [`Writer::commit_group`] is synchronous and free of threads, so tests step through it; [`Writer::run`] is
//! the loop on the writer's own thread.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::journal::{Journal, JournalError};
use crate::judge::judge;
use crate::publish::{acknowledge, published};
use crate::state::State;
use crate::store::{MAX_GROUP_BYTES, MAX_GROUP_TXNS};
use crate::types::{Committed, Txn, TxnError};

/// Free space is asked for after this many bytes of journal.
const SPACE_CHECK_BYTES: u64 = 1024 * 1024;

pub(crate) type Outcome = Result<Committed, TxnError>;

/// Transactions that wait for the writer together.
pub(crate) struct Request {
    /// At most [`MAX_GROUP_TXNS`].
    pub txns: Vec<Txn>,
    pub bytes: usize,
    pub reply: oneshot::Sender<Vec<Outcome>>,
}

impl Request {
    pub fn new(txns: Vec<Txn>) -> (Request, oneshot::Receiver<Vec<Outcome>>) {
        let (reply, outcome) = oneshot::channel();
        let bytes = txns.iter().map(Txn::size_bytes).sum();
        (Request { txns, bytes, reply }, outcome)
    }
}

pub(crate) struct Writer {
    state: Arc<State>,
    journal: Journal,
    unchecked_bytes: u64,
}

impl Writer {
    pub fn new(state: Arc<State>, journal: Journal) -> Writer {
        Writer {
            state,
            journal,
            unchecked_bytes: SPACE_CHECK_BYTES,
        }
    }

    /// Commits what arrives until nobody can send any more.
    pub fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut carried = None;
        loop {
            let Some(first) = carried.take().or_else(|| queue.blocking_recv()) else {
                break;
            };
            let (group, left) = gather(first, &mut queue);
            carried = left;
            self.state.wait_for_room();
            self.commit_requests(group);
            if carried.is_none() && queue.is_empty() {
                self.journal.mark();
            }
        }
        self.journal.mark();
    }

    fn commit_requests(&mut self, group: Vec<Request>) {
        let mut txns = Vec::new();
        let mut replies = Vec::with_capacity(group.len());
        for request in group {
            replies.push((request.txns.len(), request.reply));
            txns.extend(request.txns);
        }
        let mut outcomes = self.commit_group(txns).into_iter();
        for (count, reply) in replies {
            // Whoever asked may have gone away; the commit stands.
            let _ = reply.send(outcomes.by_ref().take(count).collect());
        }
    }

    /// Commits one group. All outcomes are final when this returns.
    pub fn commit_group(&mut self, txns: Vec<Txn>) -> Vec<Outcome> {
        let count = txns.len();
        if let Err(why) = self.check_space() {
            return refuse(count, &why);
        }
        let judged = judge(&self.state.index.read(), txns);
        match self.journal.append(&judged.entries) {
            Ok(()) => {}
            Err(error) => return refuse(count, &self.journal_failed(&error)),
        }
        self.unchecked_bytes += judged
            .entries
            .iter()
            .map(|e| e.value.record.len() as u64)
            .sum::<u64>();
        let published = published(&judged.entries);
        self.state.publish(judged.entries, &published);
        acknowledge(judged.verdicts, &published)
    }

    /// Writes that everything acknowledged is durable.
    #[cfg(test)]
    pub fn mark_durable(&mut self) {
        self.journal.mark();
    }

    /// Refuses early when the store must not write: a lasting problem, or too little space left for the
    /// base engine to live with.
    fn check_space(&mut self) -> Result<(), String> {
        if self.state.lasting_problem() {
            return Err(self.state.problem_text().unwrap_or_default());
        }
        let pressed = self.state.problem.lock().is_some();
        if !pressed && self.unchecked_bytes < SPACE_CHECK_BYTES {
            return Ok(());
        }
        self.unchecked_bytes = 0;
        let config = &self.state.config;
        // Not knowing is no reason to stop: the append itself will tell.
        let free = self.state.files.free_bytes(&config.dir).unwrap_or(u64::MAX);
        if free < config.min_free_bytes {
            let text = format!(
                "the disk of {} is almost full: {free} bytes left of the {} that are kept free; make room",
                config.dir.display(),
                config.min_free_bytes
            );
            self.state.stop_acknowledging(text.clone(), false);
            return Err(text);
        }
        self.state.recovered();
        Ok(())
    }

    fn journal_failed(&self, error: &JournalError) -> String {
        let dir = self.state.config.dir.display();
        let (text, lasting) = match error {
            JournalError::Full(_) => (format!("the disk of {dir} is full; make room"), false),
            JournalError::Failed { .. } => (format!("{error}; restart to find out what was written"), true),
        };
        self.state.stop_acknowledging(text.clone(), lasting);
        text
    }
}

fn refuse(count: usize, why: &str) -> Vec<Outcome> {
    (0..count)
        .map(|_| Err(TxnError::Unavailable(why.to_owned())))
        .collect()
}

/// Takes what waits, up to a group's limits. What does not fit is carried to the next group.
fn gather(first: Request, queue: &mut mpsc::Receiver<Request>) -> (Vec<Request>, Option<Request>) {
    let (mut txns, mut bytes) = (first.txns.len(), first.bytes);
    let mut group = vec![first];
    while let Ok(next) = queue.try_recv() {
        if txns + next.txns.len() > MAX_GROUP_TXNS || bytes + next.bytes > MAX_GROUP_BYTES {
            return (group, Some(next));
        }
        txns += next.txns.len();
        bytes += next.bytes;
        group.push(next);
    }
    (group, None)
}
