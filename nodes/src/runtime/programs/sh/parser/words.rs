//! Reads words: quotes, parameters, command substitution, arithmetic, here-documents.

use super::{Error, Parser};
use crate::runtime::programs::sh::syntax::{Change, Part, Word};

impl Parser {
    /// A word, where one begins here.
    pub(super) fn word(&mut self) -> Result<Option<Word>, Error> {
        self.blanks();
        let start = self.at;
        let mut parts = Parts::default();
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() || ";&|()<>".contains(c) => break,
                '\'' => {
                    self.at += 1;
                    parts.quoted(&self.up_to('\'')?);
                }
                '"' => {
                    self.at += 1;
                    self.in_double_quotes(&mut parts, Some('"'))?;
                }
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        Some(c) => {
                            self.at += 1;
                            parts.quoted(&c.to_string());
                        }
                        None => return Err(Error::Incomplete),
                    }
                }
                '$' | '`' => self.dollar(&mut parts, false)?,
                c => {
                    self.at += 1;
                    parts.plain(c);
                }
            }
        }
        Ok((self.at > start).then_some(Word(parts.0)))
    }

    /// What stands before `end`, which is taken.
    fn up_to(&mut self, end: char) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            let c = self.peek().ok_or(Error::Incomplete)?;
            self.at += 1;
            if c == end {
                return Ok(text);
            }
            text.push(c);
        }
    }

    /// What stands in double quotes, or in a here-document, which ends with the text.
    fn in_double_quotes(&mut self, parts: &mut Parts, end: Option<char>) -> Result<(), Error> {
        parts.quoted("");
        loop {
            match self.peek() {
                None if end.is_none() => return Ok(()),
                None => return Err(Error::Incomplete),
                c if c == end => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        Some(c @ ('$' | '`' | '\\')) => {
                            self.at += 1;
                            parts.quoted(&c.to_string());
                        }
                        Some('"') if end.is_some() => {
                            self.at += 1;
                            parts.quoted("\"");
                        }
                        _ => parts.quoted("\\"),
                    }
                }
                Some('$' | '`') => self.dollar(parts, true)?,
                Some(c) => {
                    self.at += 1;
                    parts.quoted(&c.to_string());
                }
            }
        }
    }

    /// Something that begins with `$`, or a backquote.
    fn dollar(&mut self, parts: &mut Parts, quoted: bool) -> Result<(), Error> {
        if self.take("`") {
            let script = self.up_to('`')?.replace("\\`", "`").replace("\\$", "$");
            parts.0.push(Part::Output(super::parse(&script)?, quoted));
        } else if self.take("$((") {
            let text = self.arithmetic()?;
            let mut inner = Self::of(&text, self.depth + 1)?;
            let mut expression = Parts::default();
            inner.in_double_quotes(&mut expression, None)?;
            parts.0.push(Part::Number(Word(expression.0), quoted));
        } else if self.take("$(") {
            let list = self.list(&[")"])?;
            self.at += 1;
            parts.0.push(Part::Output(list, quoted));
        } else if self.take("${") {
            self.braces(parts, quoted)?;
        } else {
            self.at += 1;
            let name = match self.peek() {
                Some(c) if c.is_ascii_digit() || "@*#?$!-".contains(c) => {
                    self.at += 1;
                    Some(c.to_string())
                }
                _ => self.name(),
            };
            match name {
                Some(name) => parts.0.push(Part::Parameter(name, None, quoted)),
                None => parts.quoted("$"),
            }
        }
        Ok(())
    }

    fn of(text: &str, depth: u32) -> Result<Self, Error> {
        if depth > super::MAX_DEPTH {
            return Err(Error::TooMuch);
        }
        Ok(Self {
            text: text.chars().collect(),
            at: 0,
            depth,
        })
    }

    /// The text of `$((...))` behind its opening, with its end taken.
    fn arithmetic(&mut self) -> Result<String, Error> {
        let (mut text, mut open) = (String::new(), 0);
        loop {
            if open == 0 && self.take("))") {
                return Ok(text);
            }
            let c = self.peek().ok_or(Error::Incomplete)?;
            self.at += 1;
            open += i32::from(c == '(') - i32::from(c == ')');
            text.push(c);
        }
    }

    /// `${...}` behind its opening.
    fn braces(&mut self, parts: &mut Parts, quoted: bool) -> Result<(), Error> {
        if self.looking_at("#") && !self.looking_at("#}") {
            self.at += 1;
            let name = self.parameter()?;
            if !self.take("}") {
                return Err(self.unexpected());
            }
            let part = Part::Parameter(name, Some(Box::new(Change::Length)), quoted);
            parts.0.push(part);
            return Ok(());
        }
        let name = self.parameter()?;
        if self.take("}") {
            parts.0.push(Part::Parameter(name, None, quoted));
            return Ok(());
        }
        let colon = self.take(":");
        let operator = self.peek().ok_or(Error::Incomplete)?;
        self.at += 1;
        let doubled = matches!(operator, '#' | '%' | '/') && self.take(&operator.to_string());
        let change = match operator {
            '-' | '=' | '+' | '?' => Change::Instead(operator, colon, self.operand(&['}'])?),
            '#' | '%' if !colon => Change::Cut(operator, doubled, self.operand(&['}'])?),
            '/' if !colon => {
                let pattern = self.operand(&['/', '}'])?;
                let with = if self.take("/") {
                    self.operand(&['}'])?
                } else {
                    Word::default()
                };
                Change::Replace(doubled, pattern, with)
            }
            _ => return Err(Error::Unexpected(format!("${{{name}{operator}"))),
        };
        if !self.take("}") {
            return Err(Error::Incomplete);
        }
        parts
            .0
            .push(Part::Parameter(name, Some(Box::new(change)), quoted));
        Ok(())
    }

    fn parameter(&mut self) -> Result<String, Error> {
        match self.peek() {
            Some(c) if "@*#?$!-".contains(c) => {
                self.at += 1;
                Ok(c.to_string())
            }
            Some(c) if c.is_ascii_digit() => {
                let rest = self.text[self.at..].iter();
                let number: String = rest.take_while(|c| c.is_ascii_digit()).collect();
                self.at += number.len();
                Ok(number)
            }
            _ => self.name().ok_or_else(|| self.unexpected()),
        }
    }

    /// What follows an operator in braces, up to one of `ends`, which is not taken.
    fn operand(&mut self, ends: &[char]) -> Result<Word, Error> {
        let mut parts = Parts::default();
        loop {
            let c = self.peek().ok_or(Error::Incomplete)?;
            match c {
                c if ends.contains(&c) => return Ok(Word(parts.0)),
                '\'' => {
                    self.at += 1;
                    parts.quoted(&self.up_to('\'')?);
                }
                '"' => {
                    self.at += 1;
                    self.in_double_quotes(&mut parts, Some('"'))?;
                }
                '\\' => {
                    self.at += 1;
                    let c = self.peek().ok_or(Error::Incomplete)?;
                    self.at += 1;
                    parts.quoted(&c.to_string());
                }
                '$' | '`' => self.dollar(&mut parts, false)?,
                c => {
                    self.at += 1;
                    parts.plain(c);
                }
            }
        }
    }

    /// The text of a here-document. It is cut out of the script, so that what follows the redirection goes on.
    pub(super) fn here_document(&mut self, delimiter: &Word, tabs_go: bool) -> Result<Word, Error> {
        let is_literal = delimiter.0.iter().any(|part| matches!(part, Part::Quoted(_)));
        let Some(end) = delimiter.literal() else {
            return Err(Error::Unexpected("<<".to_owned()));
        };
        let line_end = self.text[self.at..].iter().position(|&c| c == '\n');
        let start = self.at + line_end.ok_or(Error::Incomplete)? + 1;
        let (mut text, mut at) = (String::new(), start);
        loop {
            let length = self.text[at..].iter().position(|&c| c == '\n');
            let next = length.map_or(self.text.len(), |length| at + length + 1);
            let mut line: String = self.text[at..next].iter().collect();
            if tabs_go {
                line = line.trim_start_matches('\t').to_owned();
            }
            if line.trim_end_matches('\n') == end {
                self.text.drain(start..next);
                break;
            }
            if next == self.text.len() {
                return Err(Error::Incomplete);
            }
            text.push_str(&line);
            at = next;
        }
        if is_literal {
            return Ok(Word(vec![Part::Quoted(text)]));
        }
        let mut inner = Self::of(&text, self.depth + 1)?;
        let mut parts = Parts::default();
        inner.in_double_quotes(&mut parts, None)?;
        Ok(Word(parts.0))
    }
}

/// The parts of a word that is being read.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn plain(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Plain(text)) => text.push(c),
            _ => self.0.push(Part::Plain(c.to_string())),
        }
    }

    fn quoted(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push_str(more),
            _ => self.0.push(Part::Quoted(more.to_owned())),
        }
    }
}
