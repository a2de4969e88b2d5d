//! Jobs: what runs in the background of a shell.

use tokio::sync::watch;

use super::{
    interpreter::{Outcome, Shell},
    stream::{Source, Streams},
    syntax::Item,
};

/// Jobs of one shell at a time.
const MAX_JOBS: usize = 64;

/// A job in the background.
#[derive(Clone)]
pub struct Job {
    /// Its process.
    pub pid: u32,
    /// Its status, once it has ended.
    pub status: watch::Receiver<Option<i32>>,
}

impl Shell {
    /// Starts a job in the background.
    pub(super) async fn start_job(&mut self, item: &Item, streams: &Streams) -> Outcome {
        self.background.retain(|job| job.status.borrow().is_none());
        if self.background.len() >= MAX_JOBS {
            return Err(self.fail("too many jobs", streams).await);
        }
        let life = &self.world.invocation.life;
        let process = life.processes.start(&item.text, &life.ended);
        let (sender, status) = watch::channel(None);
        let pid = process.pid();
        let (mut shell, item) = (self.clone(), item.clone());
        let own = Streams {
            input: Source::empty(),
            ..streams.clone()
        };
        let end = process.end_signal();
        self.world.invocation.surroundings.spawn.task("job", async move {
            let status = end.guard(shell.item(&item, &own)).await;
            let status = status.map_or(super::KILLED, |outcome| shell.settle(outcome));
            drop(process);
            // The shell that started it may have ended.
            let _ = sender.send(Some(status));
        });
        self.background.push(Job { pid, status });
        Ok(0)
    }
}
