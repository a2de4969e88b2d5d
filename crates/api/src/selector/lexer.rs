//! Words of a label selector.

/// One word. `in` and `notin` are ordinary identifiers where a value is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    End,
    ClosedPar,
    Comma,
    DoesNotExist,
    DoubleEquals,
    Equals,
    GreaterThan,
    Identifier(&'a str),
    In,
    LessThan,
    NotEquals,
    NotIn,
    OpenPar,
}

impl<'a> Token<'a> {
    /// The word as it stood in the text; empty at the end.
    pub(super) fn literal(self) -> &'a str {
        match self {
            Self::End => "",
            Self::ClosedPar => ")",
            Self::Comma => ",",
            Self::DoesNotExist => "!",
            Self::DoubleEquals => "==",
            Self::Equals => "=",
            Self::GreaterThan => ">",
            Self::Identifier(text) => text,
            Self::In => "in",
            Self::LessThan => "<",
            Self::NotEquals => "!=",
            Self::NotIn => "notin",
            Self::OpenPar => "(",
        }
    }

    /// The word where a value is expected.
    pub(super) fn as_value(self) -> Self {
        match self {
            Self::In => Self::Identifier("in"),
            Self::NotIn => Self::Identifier("notin"),
            other => other,
        }
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// The first word of `text` and what follows it.
pub(super) fn next(text: &str) -> (Token<'_>, &str) {
    let text = text.trim_start_matches(is_space);
    let Some(first) = text.chars().next() else {
        return (Token::End, "");
    };
    if !is_special(first) {
        let end = text
            .find(|character| is_special(character) || is_space(character))
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let token = match word {
            "in" => Token::In,
            "notin" => Token::NotIn,
            word => Token::Identifier(word),
        };
        return (token, rest);
    }
    for (symbol, token) in [("==", Token::DoubleEquals), ("!=", Token::NotEquals)] {
        if let Some(rest) = text.strip_prefix(symbol) {
            return (token, rest);
        }
    }
    let token = match first {
        '=' => Token::Equals,
        '!' => Token::DoesNotExist,
        '(' => Token::OpenPar,
        ')' => Token::ClosedPar,
        ',' => Token::Comma,
        '>' => Token::GreaterThan,
        _ => Token::LessThan,
    };
    (token, &text[first.len_utf8()..])
}
