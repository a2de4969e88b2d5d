//! Reads scripts, by recursive descent; words are `words`'.
//!
//! What is cut short (an open quote, an `if` without its `fi`) is [`Error::Incomplete`], so that who types a script
//! line by line is asked for more.

use std::sync::Arc;

use super::syntax::{Command, Compound, Item, Join, List, Pipeline, Redirect, RedirectKind, Simple, Word};

mod words;

/// The longest script, in bytes.
const MAX_SCRIPT_BYTES: usize = 1 << 20;
/// How deep commands may be nested.
const MAX_DEPTH: u32 = 64;

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It goes on.
    #[error("syntax error: unexpected end of file")]
    Incomplete,
    /// It makes no sense.
    #[error("syntax error: unexpected \"{0}\"")]
    Unexpected(String),
    /// It is too long or too deep.
    #[error("the script is too long or nested too deep")]
    TooMuch,
}

/// Reads a script.
///
/// # Errors
/// See [`Error`].
pub fn parse(script: &str) -> Result<List, Error> {
    if script.len() > MAX_SCRIPT_BYTES {
        return Err(Error::TooMuch);
    }
    let mut parser = Parser {
        text: script.chars().collect(),
        at: 0,
        depth: 0,
    };
    let list = parser.list(&[])?;
    match parser.peek() {
        None => Ok(list),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: u32,
}

/// Words that end a list.
const ENDINGS: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(offset, wanted)| self.text.get(self.at + offset) == Some(&wanted))
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn unexpected(&self) -> Error {
        match self.peek() {
            None => Error::Incomplete,
            Some('\n') => Error::Unexpected("newline".to_owned()),
            Some(_) => {
                let rest = self.text[self.at..].iter();
                let word: String = rest.take_while(|c| !c.is_whitespace()).take(20).collect();
                Error::Unexpected(word)
            }
        }
    }

    /// Passes over blanks, joined lines and a comment.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.text.get(self.at + 1) == Some(&'\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Passes over ends of lines too.
    fn lines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some('\n') {
                return;
            }
            self.at += 1;
        }
    }

    /// The plain word that comes next, without taking it.
    fn next_word(&mut self) -> String {
        self.blanks();
        let rest = self.text[self.at..].iter();
        rest.take_while(|c| !c.is_whitespace() && !";&|()<>".contains(**c))
            .collect()
    }

    fn expect(&mut self, word: &str) -> Result<(), Error> {
        self.lines();
        if self.next_word() == word {
            self.at += word.chars().count();
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// Commands up to one of the `ends` (words, or `)` and `;;`), which is not taken.
    fn list(&mut self, ends: &[&str]) -> Result<List, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooMuch);
        }
        let mut items = Vec::new();
        loop {
            self.lines();
            let word = self.next_word();
            let ended = ends.contains(&word.as_str())
                || (ends.contains(&")") && self.looking_at(")"))
                || (ends.contains(&";;") && self.looking_at(";;"));
            if ended || self.peek().is_none() {
                break;
            }
            if ENDINGS.contains(&word.as_str()) || self.looking_at(")") || self.looking_at(";") {
                return Err(self.unexpected());
            }
            items.push(self.item()?);
        }
        self.depth -= 1;
        if self.peek().is_none() && !ends.is_empty() {
            return Err(Error::Incomplete);
        }
        Ok(List(items))
    }

    /// A list that holds something.
    fn body(&mut self, ends: &[&str]) -> Result<List, Error> {
        let list = self.list(ends)?;
        if list.0.is_empty() {
            return Err(self.unexpected());
        }
        Ok(list)
    }

    fn item(&mut self) -> Result<Item, Error> {
        let start = self.at;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let join = if self.take("&&") {
                Join::And
            } else if self.take("||") {
                Join::Or
            } else {
                break;
            };
            self.lines();
            rest.push((join, self.pipeline()?));
        }
        let text: String = self.text[start..self.at].iter().collect();
        let background = self.looking_at("&");
        if background || (self.looking_at(";") && !self.looking_at(";;")) {
            self.at += 1;
        }
        Ok(Item {
            first,
            rest,
            background,
            text: text.trim().into(),
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Error> {
        self.blanks();
        let negated = self.next_word() == "!";
        if negated {
            self.at += 1;
        }
        let mut commands = vec![self.command()?];
        loop {
            self.blanks();
            if !self.looking_at("|") || self.looking_at("||") {
                return Ok(Pipeline { negated, commands });
            }
            self.at += 1;
            self.lines();
            commands.push(self.command()?);
        }
    }

    fn command(&mut self) -> Result<Command, Error> {
        self.blanks();
        if self.looking_at("(") {
            self.at += 1;
            let list = self.body(&[")"])?;
            self.at += 1;
            return self.compound(Compound::Subshell(list));
        }
        let word = self.next_word();
        let compound = match word.as_str() {
            "{" => {
                self.at += 1;
                let list = self.body(&["}"])?;
                self.expect("}")?;
                Compound::Group(list)
            }
            "if" => {
                self.at += 2;
                self.conditional()?
            }
            "while" | "until" => {
                self.at += 5;
                let condition = self.body(&["do"])?;
                self.expect("do")?;
                let body = self.body(&["done"])?;
                self.expect("done")?;
                Compound::Loop(word == "until", condition, body)
            }
            "for" => {
                self.at += 3;
                self.for_loop()?
            }
            "case" => {
                self.at += 4;
                self.case()?
            }
            word if ENDINGS.contains(&word) => return Err(self.unexpected()),
            _ => return self.simple_or_function(&word),
        };
        self.compound(compound)
    }

    fn compound(&mut self, compound: Compound) -> Result<Command, Error> {
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command::Compound(Box::new(compound), redirects))
    }

    fn conditional(&mut self) -> Result<Compound, Error> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body(&["then"])?;
            self.expect("then")?;
            let body = self.body(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            match self.next_word().as_str() {
                "elif" => self.at += 4,
                "else" => {
                    self.at += 4;
                    let otherwise = self.body(&["fi"])?;
                    self.expect("fi")?;
                    return Ok(Compound::If(branches, Some(otherwise)));
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(Compound::If(branches, None));
                }
            }
        }
    }

    fn for_loop(&mut self) -> Result<Compound, Error> {
        self.blanks();
        let name = self.name().ok_or_else(|| self.unexpected())?;
        self.lines();
        let mut words = None;
        if self.next_word() == "in" {
            self.at += 2;
            let mut listed = Vec::new();
            while let Some(word) = self.word()? {
                listed.push(word);
            }
            words = Some(listed);
        }
        self.blanks();
        self.take(";");
        self.expect("do")?;
        let body = self.body(&["done"])?;
        self.expect("done")?;
        Ok(Compound::For(name, words, body))
    }

    fn case(&mut self) -> Result<Compound, Error> {
        let subject = self.word()?.ok_or_else(|| self.unexpected())?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.lines();
            if self.next_word() == "esac" {
                self.at += 4;
                return Ok(Compound::Case(subject, arms));
            }
            self.take("(");
            let mut patterns = Vec::new();
            loop {
                patterns.push(self.word()?.ok_or_else(|| self.unexpected())?);
                self.blanks();
                if !self.take("|") {
                    break;
                }
            }
            if !self.take(")") {
                return Err(self.unexpected());
            }
            let body = self.list(&[";;", "esac"])?;
            self.take(";;");
            arms.push((patterns, body));
        }
    }

    fn simple_or_function(&mut self, word: &str) -> Result<Command, Error> {
        if is_name(word) {
            let start = self.at;
            self.at += word.chars().count();
            self.blanks();
            if self.take("(") {
                self.blanks();
                if !self.take(")") {
                    return Err(self.unexpected());
                }
                self.lines();
                let body = self.command()?;
                return Ok(Command::Function(word.to_owned(), Arc::new(body)));
            }
            self.at = start;
        }
        let mut simple = Simple::default();
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
            } else if let Some((name, value)) = self.assignment(simple.words.is_empty())? {
                simple.assignments.push((name, value));
            } else if let Some(word) = self.word()? {
                simple.words.push(word);
            } else {
                break;
            }
        }
        if simple == Simple::default() {
            return Err(self.unexpected());
        }
        Ok(Command::Simple(simple))
    }

    fn assignment(&mut self, allowed: bool) -> Result<Option<(String, Word)>, Error> {
        let start = self.at;
        let name = if allowed { self.name() } else { None };
        if let Some(name) = name
            && self.take("=")
        {
            let ends = self
                .peek()
                .is_none_or(|c| c.is_whitespace() || ";&|)".contains(c));
            let value = if ends { None } else { self.word()? };
            return Ok(Some((name, value.unwrap_or_default())));
        }
        self.at = start;
        Ok(None)
    }

    /// A name, taken where there is one.
    fn name(&mut self) -> Option<String> {
        let rest = self.text[self.at..].iter();
        let name: String = rest
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .collect();
        if !is_name(&name) {
            return None;
        }
        self.at += name.len();
        Some(name)
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, Error> {
        self.blanks();
        let start = self.at;
        let digit = self.peek().and_then(|c| c.to_digit(10));
        if digit.is_some() {
            self.at += 1;
        }
        let all = digit.is_none() && self.take("&>");
        let (kind, default) = if all {
            (RedirectKind::Write, 1)
        } else if self.take("<<-") {
            (RedirectKind::Here, 3)
        } else if self.take("<<") {
            (RedirectKind::Here, 0)
        } else if self.take("<&") {
            (RedirectKind::Duplicate, 0)
        } else if self.take("<") {
            (RedirectKind::Read, 0)
        } else if self.take(">>") {
            (RedirectKind::Append, 1)
        } else if self.take(">&") {
            (RedirectKind::Duplicate, 1)
        } else if self.take(">|") || self.take(">") {
            (RedirectKind::Write, 1)
        } else {
            self.at = start;
            return Ok(None);
        };
        self.blanks();
        let descriptor = digit.unwrap_or(if default == 3 { 0 } else { default });
        let target = self.word()?.ok_or_else(|| self.unexpected())?;
        let descriptor = match (all, u8::try_from(descriptor)) {
            // `&>` is both; the interpreter knows it by the number.
            (true, _) => super::interpreter::BOTH,
            (false, Ok(number @ 0..=2)) => number,
            _ => return Err(Error::Unexpected(format!("{descriptor}>"))),
        };
        let target = match kind {
            RedirectKind::Here => self.here_document(&target, default == 3)?,
            _ => target,
        };
        Ok(Some(Redirect {
            descriptor,
            kind,
            target,
        }))
    }
}

/// Whether a word is a name.
pub fn is_name(word: &str) -> bool {
    let mut characters = word.chars();
    characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
