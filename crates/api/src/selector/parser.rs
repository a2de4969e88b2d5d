//! The grammar of label selectors, as upstream's recursive descent defines it.

use std::collections::BTreeSet;

use super::label::{Operator, Requirement};
use super::lexer::{Token, next};
use super::{SelectorError, check_size};

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    check_size(text)?;
    let mut parser = Parser { rest: text };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::Identifier(_) | Token::DoesNotExist => {
                let requirement = parser
                    .requirement()
                    .map_err(|error| SelectorError::new(format!("unable to parse requirement: {error}")))?;
                requirements.push(requirement);
                match parser.take() {
                    Token::End => return Ok(requirements),
                    Token::Comma => match parser.peek() {
                        Token::Identifier(_) | Token::DoesNotExist => {}
                        other => return Err(found(other, "identifier after ','")),
                    },
                    other => return Err(found(other, "',' or 'end of string'")),
                }
            }
            Token::End => return Ok(requirements),
            other => return Err(found(other, "!, identifier, or 'end of string'")),
        }
    }
}

fn found(token: Token<'_>, expected: &str) -> SelectorError {
    SelectorError::new(format!("found '{}', expected: {expected}", token.literal()))
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// The next word where a value may stand.
    fn peek(&self) -> Token<'a> {
        next(self.rest).0.as_value()
    }

    /// Takes the next word where a value may stand.
    fn take(&mut self) -> Token<'a> {
        self.take_operator().as_value()
    }

    /// Takes the next word where an operator may stand.
    fn take_operator(&mut self) -> Token<'a> {
        let (token, rest) = next(self.rest);
        self.rest = rest;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let mut token = self.take();
        let negated = token == Token::DoesNotExist;
        if negated {
            token = self.take();
        }
        let Token::Identifier(key) = token else {
            return Err(found(token, "identifier"));
        };
        Requirement::check_key(key, "<nil>")?;
        if matches!(self.peek(), Token::End | Token::Comma) {
            let operator = if negated {
                Operator::DoesNotExist
            } else {
                Operator::Exists
            };
            return Requirement::new(key, operator, []);
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, []);
        }
        let operator = match self.take_operator() {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::GreaterThan => Operator::GreaterThan,
            Token::LessThan => Operator::LessThan,
            other => return Err(found(other, OPERATORS)),
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => BTreeSet::from([self.exact_value()?]),
        };
        Requirement::new(key, operator, values)
    }

    fn exact_value(&mut self) -> Result<&'a str, SelectorError> {
        match self.peek() {
            Token::End | Token::Comma => Ok(""),
            _ => match self.take() {
                Token::Identifier(value) => Ok(value),
                other => Err(found(other, "identifier")),
            },
        }
    }

    fn values(&mut self) -> Result<BTreeSet<&'a str>, SelectorError> {
        let open = self.take();
        if open != Token::OpenPar {
            // No comma behind the word here: upstream's own slip, kept because it is what clients see.
            return Err(SelectorError::new(format!(
                "found '{}' expected: '('",
                open.literal()
            )));
        }
        match self.peek() {
            Token::Identifier(_) | Token::Comma => {
                let values = self.identifiers()?;
                match self.take() {
                    Token::ClosedPar => Ok(values),
                    other => Err(found(other, "')'")),
                }
            }
            Token::ClosedPar => {
                self.take();
                Ok(BTreeSet::from([""]))
            }
            other => Err(found(other, "',', ')' or identifier")),
        }
    }

    /// A list in which a missing value counts as the empty one: `(,a)`, `(a,)`, `(a,,b)`.
    fn identifiers(&mut self) -> Result<BTreeSet<&'a str>, SelectorError> {
        let mut values = BTreeSet::new();
        loop {
            match self.take() {
                Token::Identifier(value) => {
                    values.insert(value);
                    match self.peek() {
                        Token::Comma => {}
                        Token::ClosedPar => return Ok(values),
                        other => return Err(found(other, "',' or ')'")),
                    }
                }
                Token::Comma => {
                    if values.is_empty() {
                        values.insert("");
                    }
                    match self.peek() {
                        Token::ClosedPar => {
                            values.insert("");
                            return Ok(values);
                        }
                        Token::Comma => {
                            self.take();
                            values.insert("");
                        }
                        _ => {}
                    }
                }
                other => return Err(found(other, "',', or identifier")),
            }
        }
    }
}
