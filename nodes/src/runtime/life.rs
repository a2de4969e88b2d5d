//! One instance of a container while it lives: its processes, its console, and its end.
//!
//! It is made when something needs it: for most containers that is never. Process numbers are the container's own;
//! its main command is 1.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use coracle_service::Shutdown;
use parking_lot::Mutex;

use super::console::Console;

/// Processes that one container runs at a time, its main command aside.
const MAX_PROCESSES: usize = 256;
/// The number of the main command.
const MAIN: u32 = 1;

/// Tells the container's owner that its main command was killed, and with which code it ends.
pub type Kill = Box<dyn Fn(i32) + Send + Sync>;

/// See the module.
pub struct Life {
    /// Triggered when the container ends; everything that runs in it ends then.
    pub ended: Shutdown,
    /// What runs beside the main command.
    pub processes: Processes,
    main: Box<str>,
    console: Mutex<Option<Arc<Console>>>,
    kill: Kill,
}

/// The processes of a container.
#[derive(Default)]
pub struct Processes(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    last: u32,
    running: BTreeMap<u32, (Box<str>, Shutdown)>,
}

/// A process; it has ended when this is dropped.
pub struct Process {
    pid: u32,
    end: Shutdown,
    table: Weak<Mutex<Table>>,
}

impl Life {
    /// The life of an instance whose main command reads `main`.
    #[must_use]
    pub fn new(main: &str, ended: Shutdown, kill: Kill) -> Arc<Self> {
        Arc::new(Self {
            ended,
            processes: Processes::default(),
            main: main.into(),
            console: Mutex::default(),
            kill,
        })
    }

    /// Where the main command prints, if it has a console.
    #[must_use]
    pub fn console(&self) -> Option<Arc<Console>> {
        self.console.lock().clone()
    }

    /// Gives the main command a console.
    pub fn set_console(&self, console: Arc<Console>) {
        *self.console.lock() = Some(console);
    }

    /// Number and command of everything that runs.
    #[must_use]
    pub fn list(&self) -> Vec<(u32, String)> {
        let table = self.processes.0.lock();
        let others = table
            .running
            .iter()
            .map(|(pid, (text, _))| (*pid, text.to_string()));
        [(MAIN, self.main.to_string())]
            .into_iter()
            .chain(others)
            .collect()
    }

    /// Ends a process; `signal` is what its code tells. False where there is none of this number.
    #[must_use]
    pub fn kill(&self, pid: u32, signal: i32) -> bool {
        if pid == MAIN {
            (self.kill)(128 + signal);
            return true;
        }
        let end = self
            .processes
            .0
            .lock()
            .running
            .get(&pid)
            .map(|(_, end)| end.clone());
        end.inspect(Shutdown::trigger).is_some()
    }

    /// Whether a process runs.
    #[must_use]
    pub fn has(&self, pid: u32) -> bool {
        pid == MAIN || self.processes.0.lock().running.contains_key(&pid)
    }
}

impl Processes {
    /// Takes a process up. It should end when its signal says so, or when the container ends.
    #[must_use]
    pub fn start(&self, text: &str, container: &Shutdown) -> Process {
        let end = container.child();
        let mut table = self.0.lock();
        table.last = table.last.max(MAIN) + 1;
        let pid = table.last;
        if table.running.len() < MAX_PROCESSES {
            table.running.insert(pid, (text.into(), end.clone()));
        } else {
            // It ends before it has begun.
            end.trigger();
        }
        let table = Arc::downgrade(&self.0);
        Process { pid, end, table }
    }
}

impl Process {
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Triggered when it should end.
    #[must_use]
    pub fn end_signal(&self) -> Shutdown {
        self.end.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.lock().running.remove(&self.pid);
        }
    }
}
