//! Runs scripts: lists, pipelines, compound commands, functions, jobs.
//!
//! A shell is a value: a subshell is a clone of it. All commands of a pipeline run beside each other in one task, and
//! dropping that task ends them all, which is how ^C, `kill` and the container's end work.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;

use super::{
    World,
    job::Job,
    parser::{self, is_name},
    stream::{Sink, Source, Streams, pipe},
    syntax::{Command, Compound, Item, Join, List, Pipeline, Simple},
    variables::Variables,
};

/// The descriptor of `&>`: output and errors.
pub const BOTH: u8 = 12;
/// How deep commands may be nested, functions and scripts that call each other included: each level takes of the stack.
const MAX_DEPTH: u32 = 60;
/// Commands after which a script that never waits rests for a moment, so that others get their turn.
const REST_AFTER: u32 = 200;
/// How long it rests.
const REST: Duration = Duration::from_millis(1);

/// What ends a list before its last command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The shell ends.
    Exit(i32),
    /// A mistake that ends a script, and in an interactive shell the line.
    Fault(i32),
    /// The function or script ends.
    Return(i32),
    /// So many loops end.
    Break(u32),
    /// So many loops but the last end, and that goes on.
    Continue(u32),
}

/// A status, or what ends the list.
pub type Outcome = Result<i32, Flow>;

/// `set` and its like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-e`
    pub exit_on_error: bool,
    /// `-u`
    pub no_unset: bool,
    /// `-x`
    pub trace: bool,
    /// `-f`
    pub no_wildcards: bool,
    /// `-o pipefail`
    pub pipe_fails: bool,
}

/// A shell.
#[derive(Clone)]
pub struct Shell {
    /// What it runs in.
    pub world: Arc<World>,
    /// Its variables.
    pub variables: Variables,
    /// `$1` and so on.
    pub parameters: Vec<String>,
    /// `$0`
    pub name: String,
    /// `$?`
    pub status: i32,
    /// `$$`
    pub pid: u32,
    /// The working directory, absolute.
    pub directory: String,
    /// Its options.
    pub options: Options,
    /// Its jobs; `$!` is the last.
    pub background: Vec<Job>,
    functions: BTreeMap<String, Arc<Command>>,
    /// How many conditions surround the present command: a failure there is no error.
    guarded: u32,
    depth: u32,
    steps: u32,
}

impl Shell {
    /// A shell in `world`, with the container's environment.
    #[must_use]
    pub fn new(world: Arc<World>, pid: u32) -> Self {
        let mut variables = Variables::of(&world.invocation.env);
        let host = &world.invocation.pod.hostname;
        for (name, value) in [
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("HOME", "/root"),
            ("HOSTNAME", host),
        ] {
            if variables.get(name).is_none() {
                variables.set(name, value);
                variables.export(name);
            }
        }
        variables.set("PWD", "/");
        variables.export("PWD");
        Self {
            world,
            variables,
            parameters: Vec::new(),
            name: "sh".to_owned(),
            status: 0,
            pid,
            directory: "/".to_owned(),
            options: Options::default(),
            background: Vec::new(),
            functions: BTreeMap::new(),
            guarded: 0,
            depth: 0,
            steps: 0,
        }
    }

    /// A shell that a script of this one runs in: it inherits the environment and the directory.
    #[must_use]
    pub fn inner(&self, name: &str) -> Self {
        let mut inner = Self::new(Arc::clone(&self.world), self.pid);
        inner.variables = Variables::of(&self.variables.environment());
        inner.directory.clone_from(&self.directory);
        inner.name = name.to_owned();
        inner.depth = self.depth + 1;
        inner
    }

    /// Forgets what it was in the middle of.
    pub fn reset(&mut self) {
        (self.guarded, self.depth) = (0, 0);
    }

    /// An absolute path without `.` and `..`.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        let base = if path.starts_with('/') {
            ""
        } else {
            &self.directory
        };
        for part in base.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// Says what is wrong, and ends the script.
    pub async fn fail(&self, message: &str, streams: &Streams) -> Flow {
        let _ = streams
            .errors
            .write(format!("{}: {message}\n", self.name).as_bytes())
            .await;
        Flow::Fault(2)
    }

    /// Runs a whole script and answers its status.
    pub async fn script(&mut self, script: &str, streams: &Streams) -> i32 {
        match self.source(script, streams).await {
            Ok(status) => status,
            Err(Flow::Exit(status) | Flow::Fault(status) | Flow::Return(status)) => status,
            Err(Flow::Break(_) | Flow::Continue(_)) => self.status,
        }
    }

    /// Runs a script as part of this shell.
    pub async fn source(&mut self, script: &str, streams: &Streams) -> Outcome {
        let list = match parser::parse(script) {
            Ok(list) => list,
            Err(error) => return Err(self.fail(&error.to_string(), streams).await),
        };
        self.list(&list, streams).await
    }

    /// Runs a list.
    pub fn list<'a>(&'a mut self, list: &'a List, streams: &'a Streams) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            for item in &list.0 {
                self.status = if item.background {
                    self.start_job(item, streams).await?
                } else {
                    self.item(item, streams).await?
                };
            }
            Ok(self.status)
        })
    }

    pub(super) async fn item(&mut self, item: &Item, streams: &Streams) -> Outcome {
        let guard = |is_last: bool| u32::from(!is_last);
        let count = item.rest.len();
        self.guarded += guard(count == 0);
        let outcome = self.pipeline(&item.first, streams).await;
        self.guarded -= guard(count == 0);
        self.status = outcome?;
        let mut last_ran = count == 0 && !item.first.negated;
        for (at, (join, pipeline)) in item.rest.iter().enumerate() {
            let runs = (self.status == 0) == (*join == Join::And);
            last_ran = runs && at + 1 == count && !pipeline.negated;
            if !runs {
                continue;
            }
            self.guarded += guard(at + 1 == count);
            let outcome = self.pipeline(pipeline, streams).await;
            self.guarded -= guard(at + 1 == count);
            self.status = outcome?;
        }
        if self.options.exit_on_error && last_ran && self.status != 0 && self.guarded == 0 {
            return Err(Flow::Exit(self.status));
        }
        Ok(self.status)
    }

    async fn pipeline(&mut self, pipeline: &Pipeline, streams: &Streams) -> Outcome {
        self.guarded += u32::from(pipeline.negated);
        let outcome = match pipeline.commands.as_slice() {
            [command] => self.command(command, streams).await,
            commands => self.pipe(commands, streams).await,
        };
        self.guarded -= u32::from(pipeline.negated);
        let status = outcome?;
        Ok(if pipeline.negated {
            i32::from(status == 0)
        } else {
            status
        })
    }

    async fn pipe(&mut self, commands: &[Command], streams: &Streams) -> Outcome {
        let mut stages = Vec::with_capacity(commands.len());
        let mut input = streams.input.clone();
        for (at, command) in commands.iter().enumerate() {
            let is_last = at + 1 == commands.len();
            let (output, next) = if is_last {
                (streams.output.clone(), Source::empty())
            } else {
                pipe()
            };
            let own = Streams {
                input: std::mem::replace(&mut input, next),
                output,
                errors: streams.errors.clone(),
            };
            let mut shell = self.clone();
            // The streams move in, so that a stage which ends closes its pipes.
            stages.push(async move { shell.subshell(command, own).await });
        }
        let statuses = join_all(stages).await;
        let failed = statuses.iter().rev().find(|status| **status != 0);
        let last = statuses.last().copied().unwrap_or_default();
        Ok(match failed {
            Some(failed) if self.options.pipe_fails => *failed,
            _ => last,
        })
    }

    /// Runs a command in this shell, which is a clone.
    async fn subshell(&mut self, command: &Command, streams: Streams) -> i32 {
        self.depth += 1;
        let outcome = self.command(command, &streams).await;
        self.settle(outcome)
    }

    /// What an outcome means for a shell that ends with it.
    pub fn settle(&self, outcome: Outcome) -> i32 {
        match outcome {
            Ok(status) | Err(Flow::Exit(status) | Flow::Fault(status) | Flow::Return(status)) => status,
            Err(Flow::Break(_) | Flow::Continue(_)) => self.status,
        }
    }

    fn command<'a>(&'a mut self, command: &'a Command, streams: &'a Streams) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.steps += 1;
            if self.steps.is_multiple_of(REST_AFTER) {
                self.world.invocation.clock.sleep(REST).await;
            }
            if self.depth > MAX_DEPTH {
                return Err(self.fail("too many nested commands", streams).await);
            }
            self.depth += 1;
            let outcome = self.nested(command, streams).await;
            self.depth = self.depth.saturating_sub(1);
            outcome
        })
    }

    async fn nested(&mut self, command: &Command, streams: &Streams) -> Outcome {
        match command {
            Command::Simple(simple) => self.simple(simple, streams).await,
            Command::Function(name, body) => {
                self.functions.insert(name.clone(), Arc::clone(body));
                Ok(0)
            }
            Command::Compound(compound, redirects) => match self.redirected(redirects, streams).await? {
                Some(own) => self.compound(compound, &own).await,
                None => Ok(1),
            },
        }
    }

    async fn compound(&mut self, compound: &Compound, streams: &Streams) -> Outcome {
        match compound {
            Compound::Group(list) => self.list(list, streams).await,
            Compound::Subshell(list) => {
                let mut shell = self.clone();
                shell.depth += 1;
                let outcome = shell.list(list, streams).await;
                Ok(shell.settle(outcome))
            }
            Compound::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.condition(condition, streams).await? {
                        return self.list(body, streams).await;
                    }
                }
                match otherwise {
                    Some(list) => self.list(list, streams).await,
                    None => Ok(0),
                }
            }
            Compound::Loop(until, condition, body) => {
                let mut status = 0;
                while self.condition(condition, streams).await? != *until {
                    match turn(self.list(body, streams).await)? {
                        Turn::Next(ended) => status = ended.unwrap_or(status),
                        Turn::Leave => return Ok(0),
                    }
                }
                Ok(status)
            }
            Compound::For(name, words, body) => {
                let values = match words {
                    Some(words) => self.expand(words, streams).await?,
                    None => self.parameters.clone(),
                };
                let mut status = 0;
                for value in values {
                    self.variables.set(name, &value);
                    match turn(self.list(body, streams).await)? {
                        Turn::Next(ended) => status = ended.unwrap_or(status),
                        Turn::Leave => return Ok(0),
                    }
                }
                Ok(status)
            }
            Compound::Case(subject, arms) => {
                let subject = self.expand_one(subject, streams).await?;
                for (patterns, body) in arms {
                    for pattern in patterns {
                        let pattern = self.expand_pattern(pattern, streams).await?;
                        if super::pattern::fits(&pattern, &subject) {
                            self.status = 0;
                            return self.list(body, streams).await;
                        }
                    }
                }
                Ok(0)
            }
        }
    }

    async fn condition(&mut self, list: &List, streams: &Streams) -> Result<bool, Flow> {
        self.guarded += 1;
        let outcome = self.list(list, streams).await;
        self.guarded -= 1;
        Ok(outcome? == 0)
    }

    async fn simple(&mut self, simple: &Simple, streams: &Streams) -> Outcome {
        let words = self.expand(&simple.words, streams).await?;
        let Some(own) = self.redirected(&simple.redirects, streams).await? else {
            return Ok(1);
        };
        let Some((name, arguments)) = words.split_first() else {
            // What is assigned may have run a command, whose status this is then.
            self.status = 0;
            for (name, value) in &simple.assignments {
                let value = self.expand_one(value, streams).await?;
                self.variables.set(name, &value);
            }
            return Ok(self.status);
        };
        let saved = (!simple.assignments.is_empty()).then(|| self.variables.clone());
        for (name, value) in &simple.assignments {
            let value = self.expand_one(value, streams).await?;
            self.variables.set(name, &value);
            self.variables.export(name);
        }
        if self.options.trace {
            let line = format!("+ {}\n", words.join(" "));
            let _ = streams.errors.write(line.as_bytes()).await;
        }
        let outcome = self.call(name, arguments, &own).await;
        if let Some(saved) = saved {
            self.variables = saved;
        }
        outcome
    }

    /// Runs a function, a builtin, an applet or a script by name.
    pub fn call<'a>(
        &'a mut self,
        name: &'a str,
        arguments: &'a [String],
        streams: &'a Streams,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if self.depth > MAX_DEPTH {
                return Err(self.fail("too many nested commands", streams).await);
            }
            self.depth += 1;
            let outcome = match self.functions.get(name).cloned() {
                None => super::applets::run(self, name, arguments, streams).await,
                Some(function) => {
                    let parameters = std::mem::replace(&mut self.parameters, arguments.to_vec());
                    let outcome = self.command(&function, streams).await;
                    self.parameters = parameters;
                    match outcome {
                        Err(Flow::Return(status)) => Ok(status),
                        outcome => outcome,
                    }
                }
            };
            self.depth = self.depth.saturating_sub(1);
            outcome
        })
    }

    /// What a list prints, for `$(...)`.
    pub(super) async fn capture(&mut self, list: &List, streams: &Streams) -> Result<String, Flow> {
        let captured = Arc::new(Mutex::new(Vec::new()));
        let own = Streams {
            output: Sink::Capture(Arc::clone(&captured)),
            ..streams.clone()
        };
        let mut shell = self.clone();
        shell.depth += 1;
        if shell.depth > MAX_DEPTH {
            return Err(self.fail("too many nested commands", streams).await);
        }
        let outcome = shell.list(list, &own).await;
        self.status = shell.settle(outcome);
        let captured = std::mem::take(&mut *captured.lock());
        Ok(String::from_utf8_lossy(&captured).into_owned())
    }
}

enum Turn {
    Next(Option<i32>),
    Leave,
}

/// What the end of a loop's body means for the loop.
fn turn(outcome: Outcome) -> Result<Turn, Flow> {
    match outcome {
        Ok(status) => Ok(Turn::Next(Some(status))),
        Err(Flow::Break(0 | 1)) => Ok(Turn::Leave),
        Err(Flow::Break(loops)) => Err(Flow::Break(loops - 1)),
        Err(Flow::Continue(0 | 1)) => Ok(Turn::Next(None)),
        Err(Flow::Continue(loops)) => Err(Flow::Continue(loops - 1)),
        Err(flow) => Err(flow),
    }
}

/// Whether a word assigns: `NAME=VALUE`.
#[must_use]
pub fn assignment(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(name, _)| is_name(name))
}
