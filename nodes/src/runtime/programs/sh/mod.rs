//! A small shell and the usual commands, on the container's file system and the pod's network.
//!
//! It is what `kubectl exec` runs, and what a container runs whose command is a script. Parts: `parser` reads scripts,
//! `expand` makes words of them, `interpreter` runs them, `applets` are the commands, `terminal` is what stands before
//! a person.
//!
//! What it is not: a Linux process. Nothing here calls the system's own programs, and no path leads out of the
//! container's volumes.

mod applets;
mod arithmetic;
mod expand;
mod interactive;
mod interpreter;
mod job;
mod parser;
mod pattern;
mod redirect;
pub mod stream;
mod syntax;
mod terminal;
mod variables;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use self::{
    interpreter::Shell,
    stream::{PIPE_CHUNKS, Sink, Source, Streams},
    terminal::Keyboard,
};
use super::Program;
use crate::{
    runtime::{
        console::Console,
        program::{Invocation, Run, Step, Usage, wait},
    },
    volumes::Files,
};

/// The code of what was ended by SIGKILL.
pub const KILLED: i32 = 137;
/// The code of what ^C ended.
const INTERRUPTED: i32 = 130;
/// The code of a shell whose command does not exist.
pub const NOT_FOUND: i32 = 127;

/// What a shell runs in.
pub struct World {
    /// The container.
    pub invocation: Arc<Invocation>,
    /// Rings at ^C, where a person sits before it.
    pub interrupt: Option<Arc<Notify>>,
}

impl World {
    /// The container's file system.
    #[must_use]
    pub fn files(&self) -> &Arc<Files> {
        &self.invocation.files
    }
}

/// `sh`, `ash`, `bash`.
pub struct Sh;

/// Any other command: the name is the first of the arguments.
pub struct Applet;

impl Program for Sh {
    fn name(&self) -> &'static str {
        "sh"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let arguments = &invocation.arguments;
        if let [flag, script] = arguments.as_slice()
            && flag == "-c"
            && let Some(steps) = steps(script)
        {
            return Ok(Run::Script(steps));
        }
        if arguments.is_empty() && !invocation.stdin {
            // A shell without input has nothing to do.
            return Ok(Run::Script(Vec::new()));
        }
        let words = [vec!["sh".to_owned()], arguments.clone()].concat();
        Ok(Run::Task(Box::pin(main(invocation, words))))
    }
}

impl Program for Applet {
    fn name(&self) -> &'static str {
        "applet"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let words = invocation.arguments.clone();
        if words == ["tail", "-f", "/dev/null"] {
            return Ok(Run::Idle);
        }
        Ok(Run::Task(Box::pin(main(invocation, words))))
    }
}

/// Whether a command of this name is built in.
#[must_use]
pub fn is_applet(name: &str) -> bool {
    applets::find(name).is_some()
}

/// The names of all commands, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    applets::names()
}

/// Runs a container's main command on its console, and answers its code.
async fn main(invocation: Arc<Invocation>, words: Vec<String>) -> i32 {
    let (log, clock) = (Arc::clone(&invocation.log), invocation.clock.clone());
    let (console, typed) = Console::new(log, clock, invocation.tty);
    invocation.life.set_console(Arc::clone(&console));
    if !invocation.stdin {
        console.close_input();
    }
    let screen = Sink::Console(Arc::clone(&console));
    let code = if invocation.tty {
        on_terminal(invocation, &words, typed, screen, 1).await
    } else {
        let streams = Streams {
            input: if invocation.stdin {
                Source::pipe(typed)
            } else {
                Source::empty()
            },
            output: screen.clone(),
            errors: screen,
        };
        run(invocation, None, &words, streams, 1).await
    };
    console.flush();
    code
}

/// Runs a command before which a person sits: `keys` are what is typed, `screen` shows it and what is printed.
pub async fn on_terminal(
    invocation: Arc<Invocation>,
    words: &[String],
    keys: mpsc::Receiver<Bytes>,
    screen: Sink,
    pid: u32,
) -> i32 {
    let (lines, typed) = mpsc::channel(PIPE_CHUNKS);
    let interrupt = Arc::new(Notify::new());
    let keyboard = Keyboard::new(keys, screen.clone(), lines, Arc::clone(&interrupt));
    let streams = Streams {
        input: Source::pipe(typed),
        output: screen.clone(),
        errors: screen,
    };
    let running = run(invocation, Some(Arc::clone(&interrupt)), words, streams, pid);
    tokio::pin!(running);
    tokio::select! {
        biased;
        code = &mut running => return code,
        () = keyboard.run() => {}
    }
    // Nobody types any more: the command sees the end of its input, and may go on without.
    running.await
}

/// Runs a command and answers its code.
pub async fn run(
    invocation: Arc<Invocation>,
    interrupt: Option<Arc<Notify>>,
    words: &[String],
    streams: Streams,
    pid: u32,
) -> i32 {
    let is_shell = words.first().is_some_and(|word| is_shell(word));
    let world = World {
        invocation,
        interrupt: interrupt.clone(),
    };
    let mut shell = Shell::new(Arc::new(world), pid);
    let Some((name, arguments)) = words.split_first() else {
        return 0;
    };
    let Some(interrupt) = interrupt.filter(|_| !is_shell) else {
        let outcome = shell.call(name, arguments, &streams).await;
        return shell.settle(outcome);
    };
    let interrupted = interrupt.notified();
    tokio::pin!(interrupted);
    interrupted.as_mut().enable();
    let settled = shell.clone();
    tokio::select! {
        biased;
        () = interrupted => INTERRUPTED,
        outcome = shell.call(name, arguments, &streams) => settled.settle(outcome),
    }
}

/// Whether a command can be run in this container: a command by name, or a file of it by path.
pub async fn exists(invocation: &Invocation, word: &str) -> bool {
    if is_applet(applets::base(word)) {
        return true;
    }
    word.contains('/')
        && invocation
            .files
            .stat(word)
            .await
            .is_ok_and(|found| !found.is_directory)
}

fn is_shell(word: &str) -> bool {
    matches!(applets::base(word), "sh" | "ash" | "bash")
}

/// The steps of a script that is nothing but a list of `echo`, `sleep`, `exit`, `true` and `false` with plain words:
/// such a container costs no task. `None` for any other script.
pub(super) fn steps(script: &str) -> Option<Vec<Step>> {
    let list = parser::parse(script).ok()?;
    let mut steps = Vec::new();
    let mut last_failed = false;
    for item in &list.0 {
        let chain = item
            .rest
            .iter()
            .map(|(join, pipeline)| (*join == syntax::Join::And).then_some(pipeline));
        for pipeline in [Some(&item.first)].into_iter().chain(chain) {
            let pipeline = pipeline?;
            let [syntax::Command::Simple(simple)] = pipeline.commands.as_slice() else {
                return None;
            };
            let is_plain = !pipeline.negated
                && !item.background
                && !last_failed
                && simple.redirects.is_empty()
                && simple.assignments.is_empty();
            let words: Option<Vec<String>> = simple.words.iter().map(syntax::Word::literal).collect();
            let words = words.filter(|_| is_plain)?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["echo", option, ..] if option.starts_with('-') => return None,
                ["echo", text @ ..] => steps.push(Step::Print(text.join(" "))),
                ["sleep", time] => steps.push(wait(time).ok()?),
                ["exit", code] => {
                    steps.push(Step::Exit(code.parse().ok()?));
                    return Some(steps);
                }
                ["exit"] => {
                    steps.push(Step::Exit(0));
                    return Some(steps);
                }
                ["true" | ":"] => {}
                ["false"] => last_failed = true,
                _ => return None,
            }
        }
    }
    if last_failed {
        steps.push(Step::Exit(1));
    }
    Some(steps)
}

/// A system's error in the words of the C library.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::AlreadyExists => "File exists".to_owned(),
        io::ErrorKind::IsADirectory => "Is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "Not a directory".to_owned(),
        io::ErrorKind::DirectoryNotEmpty => "Directory not empty".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "Read-only file system".to_owned(),
        io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        io::ErrorKind::StorageFull => "No space left on device".to_owned(),
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        io::ErrorKind::CrossesDevices => "Invalid cross-device link".to_owned(),
        io::ErrorKind::FileTooLarge => "File too large".to_owned(),
        _ => error.to_string(),
    }
}
