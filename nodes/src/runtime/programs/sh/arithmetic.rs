//! `$((...))`: whole numbers of 64 bits with the operators of C, over the shell's variables.

use super::variables::Variables;

/// How deep parentheses may be nested.
const MAX_DEPTH: u32 = 64;

/// The value of an expression; assignments in it change `variables`.
///
/// # Errors
/// What is wrong with it.
pub fn evaluate(expression: &str, variables: &mut Variables) -> Result<i64, String> {
    let mut reader = Reader {
        text: expression.chars().collect(),
        at: 0,
        depth: 0,
        variables,
    };
    if expression.trim().is_empty() {
        return Ok(0);
    }
    let value = reader.ternary()?;
    reader.blanks();
    match reader.text.get(reader.at) {
        None => Ok(value),
        Some(_) => Err(format!("arithmetic syntax error: {expression:?}")),
    }
}

struct Reader<'a> {
    text: Vec<char>,
    at: usize,
    depth: u32,
    variables: &'a mut Variables,
}

/// Operators of two operands, the weakest first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, operator: &str) -> bool {
        self.blanks();
        let rest: String = self.text[self.at..].iter().take(3).collect();
        if !rest.starts_with(operator) {
            return false;
        }
        let after = rest[operator.len()..].chars().next();
        // `a | b` is not the beginning of `a || b`, nor `<` that of `<<`.
        let longer = matches!(
            (operator, after),
            ("|", Some('|')) | ("&", Some('&')) | ("<", Some('<')) | (">", Some('>'))
        );
        let assigns = after == Some('=') && "+-*/%".contains(operator);
        if longer || assigns {
            return false;
        }
        self.at += operator.len();
        true
    }

    fn ternary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deep".to_owned());
        }
        let condition = self.binary(0)?;
        let value = if self.take("?") {
            let (yes, colon) = (self.ternary()?, self.take(":"));
            if !colon {
                return Err("arithmetic syntax error: ':' is missing".to_owned());
            }
            let no = self.ternary()?;
            if condition != 0 { yes } else { no }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(value)
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.blanks();
        for (operator, step) in [("++", 1), ("--", -1)] {
            if self.take(operator) {
                let name = self.name().ok_or("arithmetic syntax error: a name is missing")?;
                let value = self.value(&name)?.wrapping_add(step);
                self.variables.set(&name, &value.to_string());
                return Ok(value);
            }
        }
        if self.take("-") {
            return Ok(self.unary()?.wrapping_neg());
        }
        if self.take("+") {
            return self.unary();
        }
        if self.take("!") {
            return Ok(i64::from(self.unary()? == 0));
        }
        if self.take("~") {
            return Ok(!self.unary()?);
        }
        if self.take("(") {
            let value = self.ternary()?;
            return match self.take(")") {
                true => Ok(value),
                false => Err("arithmetic syntax error: ')' is missing".to_owned()),
            };
        }
        match self.name() {
            Some(name) => self.variable(&name),
            None => self.number(),
        }
    }

    fn name(&mut self) -> Option<String> {
        self.blanks();
        let rest = self.text[self.at..].iter();
        let name: String = rest
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .collect();
        if !super::parser::is_name(&name) {
            return None;
        }
        self.at += name.len();
        Some(name)
    }

    fn variable(&mut self, name: &str) -> Result<i64, String> {
        let old = self.value(name)?;
        for (operator, step) in [("++", 1), ("--", -1)] {
            if self.take(operator) {
                self.variables.set(name, &old.wrapping_add(step).to_string());
                return Ok(old);
            }
        }
        self.blanks();
        let rest: String = self.text[self.at..].iter().take(2).collect();
        let (operator, length) = match rest.as_bytes() {
            [b'=', b'='] => return Ok(old),
            [b'=', ..] => ("", 1),
            [b'+', b'='] => ("+", 2),
            [b'-', b'='] => ("-", 2),
            [b'*', b'='] => ("*", 2),
            [b'/', b'='] => ("/", 2),
            [b'%', b'='] => ("%", 2),
            _ => return Ok(old),
        };
        self.at += length;
        let right = self.ternary()?;
        let value = if operator.is_empty() {
            right
        } else {
            apply(operator, old, right)?
        };
        self.variables.set(name, &value.to_string());
        Ok(value)
    }

    fn value(&self, name: &str) -> Result<i64, String> {
        let text = self.variables.get(name).unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| format!("{text}: not a number"))
    }

    fn number(&mut self) -> Result<i64, String> {
        let rest = self.text[self.at..].iter();
        let digits: String = rest.take_while(|c| c.is_ascii_alphanumeric()).collect();
        self.at += digits.len();
        let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
            None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(&digits, 8),
            None => digits.parse(),
        };
        value.map_err(|_| "arithmetic syntax error".to_owned())
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Result<i64, String> {
    Ok(match operator {
        "||" => i64::from(left != 0 || right != 0),
        "&&" => i64::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "<<" => left.wrapping_shl(u32::try_from(right & 63).unwrap_or(0)),
        ">>" => left.wrapping_shr(u32::try_from(right & 63).unwrap_or(0)),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        _ if right == 0 => return Err("divide by zero".to_owned()),
        "/" => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })
}
