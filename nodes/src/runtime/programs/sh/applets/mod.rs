//! The commands: a table of names and functions, and what functions need to be written in few lines.
//!
//! Options and texts are those of busybox, as far as an option is known here; any other is refused by name.

mod archive;
mod builtins;
mod expression;
mod fields;
mod files;
mod find;
mod fold;
mod network;
mod search;
mod streams;
mod system;
mod text;
mod web;

use std::{collections::BTreeMap, io, sync::Arc};

use futures::future::BoxFuture;

use super::{
    NOT_FOUND,
    interpreter::{Flow, Outcome, Shell},
    reason,
    stream::{Source, Streams},
};
use crate::volumes::Files;

/// The code of a command that was cut off because nobody reads what it prints.
const BROKEN_PIPE: i32 = 141;

/// A command that is being run.
pub struct Call<'a> {
    /// The shell that runs it.
    pub shell: &'a mut Shell,
    /// As it was called.
    pub name: &'a str,
    /// What follows the name.
    pub arguments: &'a [String],
    /// Its streams.
    pub streams: &'a Streams,
}

/// Why a command ended early.
pub enum Failure {
    /// It says this and fails with code 1.
    Text(String),
    /// The same with another code.
    Code(i32, String),
    /// Nobody reads what it prints.
    BrokenPipe,
    /// What it ran ended more than itself.
    Flow(Flow),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Text(reason(&error)),
        }
    }
}

impl From<Flow> for Failure {
    fn from(flow: Flow) -> Self {
        Self::Flow(flow)
    }
}

/// What a command answers: its code.
pub type Result<T = i32> = std::result::Result<T, Failure>;

type Applet = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result>;

macro_rules! applets {
    ($($name:literal $module:ident::$function:ident,)*) => {
        /// All commands, by name.
        const APPLETS: &[(&str, Applet)] = &[
            $(($name, |call| Box::pin($module::$function(call))),)*
        ];
    };
}

applets! {
    "." builtins::source,
    ":" system::yes,
    "[" expression::test,
    "arch" system::arch,
    "ash" builtins::sh,
    "base64" fold::base64,
    "basename" text::basename,
    "bash" builtins::sh,
    "break" builtins::leave,
    "cat" files::cat,
    "cd" builtins::cd,
    "chmod" files::change_nothing,
    "chown" files::change_nothing,
    "clear" system::clear,
    "command" builtins::command,
    "continue" builtins::leave,
    "cp" files::cp,
    "curl" web::curl,
    "cut" fields::cut,
    "date" system::date,
    "dd" streams::dd,
    "df" system::df,
    "dirname" text::dirname,
    "du" find::du,
    "echo" text::echo,
    "env" system::env,
    "eval" builtins::eval,
    "exec" builtins::exec,
    "exit" builtins::exit,
    "export" builtins::export,
    "false" system::no,
    "find" find::find,
    "free" system::free,
    "grep" search::grep,
    "egrep" search::grep,
    "fgrep" search::grep,
    "head" streams::head,
    "hostname" system::hostname,
    "id" system::id,
    "kill" system::kill,
    "local" builtins::local,
    "ls" files::ls,
    "mkdir" files::mkdir,
    "mktemp" files::mktemp,
    "mv" files::mv,
    "nc" network::nc,
    "nproc" system::nproc,
    "nslookup" network::nslookup,
    "ping" network::ping,
    "printenv" system::env,
    "printf" text::printf,
    "ps" system::ps,
    "pwd" builtins::pwd,
    "read" builtins::read,
    "return" builtins::give_back,
    "rev" text::rev,
    "rm" files::rm,
    "rmdir" files::rmdir,
    "sed" search::sed,
    "seq" text::seq,
    "set" builtins::set,
    "sh" builtins::sh,
    "sha256sum" fold::sha256sum,
    "shift" builtins::shift,
    "sleep" system::sleep,
    "sort" streams::sort,
    "stat" files::stat,
    "sync" system::yes,
    "tac" text::tac,
    "tail" streams::tail,
    "tar" archive::tar,
    "tee" streams::tee,
    "test" expression::test,
    "time" builtins::time,
    "timeout" builtins::timeout,
    "touch" files::touch,
    "tr" fields::tr,
    "trap" builtins::trap,
    "true" system::yes,
    "type" builtins::which,
    "umask" system::yes,
    "uname" system::uname,
    "uniq" streams::uniq,
    "unset" builtins::unset,
    "uptime" system::uptime,
    "wait" builtins::wait,
    "wc" streams::wc,
    "wget" web::wget,
    "which" builtins::which,
    "whoami" system::id,
    "xargs" find::xargs,
    "yes" streams::yes,
}

/// The last part of a path.
#[must_use]
pub fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// A command by name.
pub fn find(name: &str) -> Option<Applet> {
    APPLETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, applet)| *applet)
}

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    APPLETS.iter().map(|(name, _)| *name)
}

/// Runs a command that is no function.
pub async fn run(shell: &mut Shell, name: &str, arguments: &[String], streams: &Streams) -> Outcome {
    // A file of the container comes before a command of the same path.
    let path = shell.path(name);
    let is_file = name.contains('/') && !path.starts_with("/bin/") && !path.starts_with("/usr/bin/");
    let found = if is_file { None } else { find(base(name)) };
    let Some(applet) = found else {
        if is_file
            && shell
                .world
                .files()
                .stat(&path)
                .await
                .is_ok_and(|found| !found.is_directory)
        {
            return script_file(shell, &path, arguments, streams).await;
        }
        if let Some(applet) =
            find(base(name)).filter(|_| path.contains("/sbin/") || path.starts_with("/usr/local/"))
        {
            return finish(shell, name, arguments, streams, applet).await;
        }
        let text = format!("{}: {name}: not found\n", shell.name);
        let _ = streams.errors.write(text.as_bytes()).await;
        return Ok(NOT_FOUND);
    };
    finish(shell, name, arguments, streams, applet).await
}

async fn finish(
    shell: &mut Shell,
    name: &str,
    arguments: &[String],
    streams: &Streams,
    applet: Applet,
) -> Outcome {
    let call = Call {
        shell,
        name: base(name),
        arguments,
        streams,
    };
    let (code, message) = match applet(call).await {
        Ok(code) => return Ok(code),
        Err(Failure::Flow(flow)) => return Err(flow),
        Err(Failure::BrokenPipe) => return Ok(BROKEN_PIPE),
        Err(Failure::Text(message)) => (1, message),
        Err(Failure::Code(code, message)) => (code, message),
    };
    let text = format!("{}: {message}\n", base(name));
    let _ = streams.errors.write(text.as_bytes()).await;
    Ok(code)
}

/// Runs a file of the container as a script of a shell of its own.
async fn script_file(shell: &mut Shell, path: &str, arguments: &[String], streams: &Streams) -> Outcome {
    let text = match shell.world.files().read(path).await {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => {
            let text = format!("{}: {path}: {}\n", shell.name, reason(&error));
            let _ = streams.errors.write(text.as_bytes()).await;
            return Ok(126);
        }
    };
    let mut inner = shell.inner(path);
    inner.parameters = arguments.to_vec();
    Ok(Box::pin(inner.script(&text, streams)).await)
}

/// Options and operands of a command line.
pub struct Parsed {
    options: BTreeMap<char, Vec<String>>,
    /// What is no option.
    pub operands: Vec<String>,
}

impl Parsed {
    /// Whether an option was given.
    #[must_use]
    pub fn has(&self, option: char) -> bool {
        self.options.contains_key(&option)
    }

    /// The last value of an option.
    #[must_use]
    pub fn value(&self, option: char) -> Option<&str> {
        self.options.get(&option)?.last().map(String::as_str)
    }

    /// All values of an option.
    #[must_use]
    pub fn values(&self, option: char) -> &[String] {
        self.options.get(&option).map_or(&[], Vec::as_slice)
    }

    /// Reads options; see [`Call::options`].
    fn of(arguments: &[String], known: &str, long: &[(&str, char)]) -> Result<Self> {
        let mut parsed = Self {
            options: BTreeMap::new(),
            operands: Vec::new(),
        };
        let takes = |option: char| {
            let at = known.find(option)?;
            Some(known[at + option.len_utf8()..].starts_with(':'))
        };
        let mut arguments = arguments.iter();
        let missing = |option: char| Failure::Text(format!("option requires an argument -- '{option}'"));
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                parsed.operands.extend(arguments.cloned());
                break;
            }
            if let Some(word) = argument.strip_prefix("--") {
                let (name, value) = word
                    .split_once('=')
                    .map_or((word, None), |(name, value)| (name, Some(value)));
                let found = long.iter().find(|(known, _)| *known == name);
                let Some((_, option)) = found else {
                    return Err(Failure::Text(format!("unrecognized option: {name}")));
                };
                let value = match (takes(*option), value) {
                    (Some(true), None) => arguments.next().cloned().ok_or_else(|| missing(*option))?,
                    (_, value) => value.unwrap_or_default().to_owned(),
                };
                parsed.options.entry(*option).or_default().push(value);
                continue;
            }
            let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                parsed.operands.push(argument.clone());
                continue;
            };
            for (at, option) in letters.char_indices() {
                match takes(option) {
                    None => return Err(Failure::Text(format!("unrecognized option: {option}"))),
                    Some(false) => parsed.options.entry(option).or_default().push(String::new()),
                    Some(true) => {
                        let rest = &letters[at + option.len_utf8()..];
                        let value = match rest {
                            "" => arguments.next().cloned().ok_or_else(|| missing(option))?,
                            rest => rest.to_owned(),
                        };
                        parsed.options.entry(option).or_default().push(value);
                        break;
                    }
                }
            }
        }
        Ok(parsed)
    }

    /// The value of an option as a number.
    ///
    /// # Errors
    /// Where it is none.
    pub fn number(&self, option: char) -> Result<Option<u64>> {
        self.value(option).map(number).transpose()
    }
}

/// A number, with an optional suffix `k`, `M` or `G`.
pub fn number(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "c" | "B" => 1,
        "w" => 2,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "m" | "M" | "MiB" => 1 << 20,
        "g" | "G" | "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        _ => 0,
    };
    let value = digits.parse::<u64>().ok().filter(|_| factor > 0);
    let value = value.and_then(|value| value.checked_mul(factor));
    value.ok_or_else(|| Failure::Text(format!("invalid number '{text}'")))
}

impl Call<'_> {
    /// Reads options: a letter each in `known`, with a colon behind those that take a value. Long options are given as
    /// `("name", letter)`.
    ///
    /// # Errors
    /// The first that is not known.
    pub fn options(&self, known: &str, long: &[(&str, char)]) -> Result<Parsed> {
        Parsed::of(self.arguments, known, long)
    }

    /// The file system.
    pub fn files(&self) -> Arc<Files> {
        Arc::clone(self.shell.world.files())
    }

    /// Prints.
    pub async fn print(&self, text: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.streams.output.write(text.as_ref()).await?)
    }

    /// Says what is wrong, and goes on.
    pub async fn complain(&self, message: &str) -> Result<()> {
        let text = format!("{}: {message}\n", self.name);
        Ok(self.streams.errors.write(text.as_bytes()).await?)
    }

    /// Opens the inputs that operands name, `-` and nothing being the standard input. Those that are not there are
    /// complained of; the second tells whether there were any.
    pub async fn inputs(&self, operands: &[String]) -> Result<(Vec<(String, Source)>, bool)> {
        if operands.is_empty() {
            return Ok((vec![("-".to_owned(), self.streams.input.clone())], false));
        }
        let (mut opened, mut missed) = (Vec::new(), false);
        for operand in operands {
            if operand == "-" {
                opened.push((operand.clone(), self.streams.input.clone()));
                continue;
            }
            match self.shell.open(operand, self.streams).await {
                Ok(source) => opened.push((operand.clone(), source)),
                Err(message) => {
                    missed = true;
                    self.complain(&format!("{operand}: {message}")).await?;
                }
            }
        }
        Ok((opened, missed))
    }

    /// A failure about a path.
    pub fn about(&self, path: &str, error: &io::Error) -> Failure {
        Failure::Text(format!("{path}: {}", reason(error)))
    }
}

/// The code of a command that did all or not all.
pub fn code(failed: bool) -> i32 {
    i32::from(failed)
}
