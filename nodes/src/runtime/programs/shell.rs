//! `sh -c SCRIPT`, as far as a list of `echo`, `sleep`, `exit`, `true` and `false` goes. Without a script it exits with code 0,
//! as a shell without input does.
//!
//! Anything else in a script makes the container idle: the caller is told, so that an event can say so.

use std::sync::Arc;

use crate::runtime::program::{Invocation, Program, Run, Step, Usage, wait};

/// The longest script that is looked at, in bytes.
const MAX_SCRIPT_BYTES: usize = 64 << 10;

/// Characters that ask for more of a shell than there is.
const SPECIAL: [char; 8] = ['$', '`', '|', '>', '<', '(', '{', '&'];

/// The program.
pub struct Shell;

impl Program for Shell {
    fn name(&self) -> &'static str {
        "sh"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let script = match invocation
            .arguments
            .iter()
            .position(|argument| argument == "-c" || argument == "-ec")
        {
            Some(flag) => invocation.arguments.get(flag + 1).map_or("", String::as_str),
            None => return Ok(Run::Script(Vec::new())),
        };
        Ok(steps(script).map_or(Run::Idle, Run::Script))
    }
}

/// The steps of a script; `None` where it holds anything that is not understood here.
pub(super) fn steps(script: &str) -> Option<Vec<Step>> {
    let script = script.replace("&&", ";");
    if script.len() > MAX_SCRIPT_BYTES || script.contains(SPECIAL) {
        return None;
    }
    let mut steps = Vec::new();
    let mut last_failed = false;
    for command in script
        .split([';', '\n'])
        .map(str::trim)
        .filter(|command| !command.is_empty())
    {
        let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        last_failed = false;
        match word.rsplit('/').next().unwrap_or(word) {
            "echo" => steps.push(Step::Print(unquote(rest))),
            "sleep" => steps.push(wait(rest.trim()).ok()?),
            "exit" => {
                steps.push(Step::Exit(if rest.is_empty() {
                    0
                } else {
                    rest.trim().parse().ok()?
                }));
                return Some(steps);
            }
            "true" | ":" => {}
            "false" => last_failed = true,
            _ => return None,
        }
    }
    if last_failed {
        steps.push(Step::Exit(1));
    }
    Some(steps)
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    text.to_owned()
}
