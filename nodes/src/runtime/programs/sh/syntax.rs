//! What a script is made of, as the POSIX shell command language has it (IEEE 1003.1, volume Shell & Utilities).

use std::sync::Arc;

/// Commands one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(pub Vec<Item>);

/// A chain of pipelines joined by `&&` and `||`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The others.
    pub rest: Vec<(Join, Pipeline)>,
    /// It runs beside what follows.
    pub background: bool,
    /// As it was written, for `ps`.
    pub text: Arc<str>,
}

/// When the next pipeline of a chain runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// After a success.
    And,
    /// After a failure.
    Or,
}

/// Commands joined by pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its status is turned round.
    pub negated: bool,
    /// One or more.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Words, the first of which names what runs.
    Simple(Simple),
    /// Something made of lists.
    Compound(Box<Compound>, Vec<Redirect>),
    /// The definition of a function.
    Function(String, Arc<Command>),
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` before the words.
    pub assignments: Vec<(String, Word)>,
    /// The command and its arguments.
    pub words: Vec<Word>,
    /// Where its streams go.
    pub redirects: Vec<Redirect>,
}

/// A compound command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compound {
    /// `{ ...; }`
    Group(List),
    /// `( ... )`
    Subshell(List),
    /// `if`, `elif`, `else`
    If(Vec<(List, List)>, Option<List>),
    /// `while`, and `until` where the first is true.
    Loop(bool, List, List),
    /// `for`; over the positional parameters where it names no words.
    For(String, Option<Vec<Word>>, List),
    /// `case`
    Case(Word, Vec<(Vec<Word>, List)>),
}

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 0, 1 or 2.
    pub descriptor: u8,
    /// How.
    pub kind: RedirectKind,
    /// A path, a descriptor or a text.
    pub target: Word,
}

/// How a stream is redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
    /// `>&` and `<&`
    Duplicate,
    /// `<<`: the target is the text itself.
    Here,
}

/// A word before expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub Vec<Part>);

/// A part of a word. `true` where it stands in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands; wildcards in it are wildcards.
    Plain(String),
    /// As it stands, wildcards too.
    Quoted(String),
    /// `$NAME`, `${NAME...}`
    Parameter(String, Option<Box<Change>>, bool),
    /// `$(...)` and backquotes.
    Output(List, bool),
    /// `$((...))`
    Number(Word, bool),
}

/// What `${NAME...}` makes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `${#NAME}`
    Length,
    /// `-`, `=`, `+`, `?`, each also for empty values where the second is true.
    Instead(char, bool, Word),
    /// `#`, `%`; the longest match where the second is true.
    Cut(char, bool, Word),
    /// `/`, for all matches where the first is true.
    Replace(bool, Word, Word),
}

impl Word {
    /// The text, where the word is nothing but text.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Plain(plain) if !plain.contains(['*', '?', '[', '~']) => text.push_str(plain),
                Part::Quoted(quoted) => text.push_str(quoted),
                _ => return None,
            }
        }
        Some(text)
    }
}
