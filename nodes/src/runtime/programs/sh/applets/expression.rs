//! `test` and `[`.

use futures::future::BoxFuture;

use super::{Call, Failure, Result};

/// How deep parentheses may be nested.
const MAX_DEPTH: u32 = 64;

/// `test EXPRESSION`, `[ EXPRESSION ]`
pub async fn test(call: Call<'_>) -> Result {
    let mut words = call.arguments;
    if call.name == "[" {
        match words.split_last() {
            Some((last, rest)) if last == "]" => words = rest,
            _ => return Err(Failure::Code(2, "missing ]".to_owned())),
        }
    }
    if words.is_empty() {
        return Ok(1);
    }
    let mut reader = Reader {
        call: &call,
        words,
        at: 0,
        depth: 0,
    };
    let holds = reader.either().await?;
    match words.get(reader.at) {
        None => Ok(i32::from(!holds)),
        Some(word) => Err(Failure::Code(2, format!("{word}: unknown operand"))),
    }
}

struct Reader<'a, 'b> {
    call: &'a Call<'b>,
    words: &'a [String],
    at: usize,
    depth: u32,
}

impl Reader<'_, '_> {
    fn peek(&self, offset: usize) -> Option<&str> {
        self.words.get(self.at + offset).map(String::as_str)
    }

    fn either(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let mut holds = self.both().await?;
            while self.peek(0) == Some("-o") {
                self.at += 1;
                holds |= self.both().await?;
            }
            Ok(holds)
        })
    }

    async fn both(&mut self) -> Result<bool> {
        let mut holds = self.one().await?;
        while self.peek(0) == Some("-a") {
            self.at += 1;
            holds &= self.one().await?;
        }
        Ok(holds)
    }

    async fn one(&mut self) -> Result<bool> {
        let mut turned = false;
        while self.peek(0) == Some("!") && self.peek(1).is_some() {
            self.at += 1;
            turned = !turned;
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Failure::Code(2, "too many parentheses".to_owned()));
        }
        let holds = self.primary().await?;
        self.depth -= 1;
        Ok(holds != turned)
    }

    async fn primary(&mut self) -> Result<bool> {
        let missing = || Failure::Code(2, "argument expected".to_owned());
        let first = self.peek(0).ok_or_else(missing)?.to_owned();
        if let (Some(operator), Some(right)) = (self.peek(1), self.peek(2))
            && let Some(holds) = self.binary(&first, operator, right).await?
        {
            self.at += 3;
            return Ok(holds);
        }
        if first == "(" {
            self.at += 1;
            let holds = self.either().await?;
            if self.peek(0) != Some(")") {
                return Err(Failure::Code(2, "closing paren expected".to_owned()));
            }
            self.at += 1;
            return Ok(holds);
        }
        if let Some(operand) = self.peek(1).map(str::to_owned)
            && first.len() == 2
            && first.starts_with('-')
            && let Some(holds) = self.unary(&first, &operand).await
        {
            self.at += 2;
            return Ok(holds);
        }
        self.at += 1;
        Ok(!first.is_empty())
    }

    async fn unary(&self, operator: &str, operand: &str) -> Option<bool> {
        let found = self.call.files().stat(&self.call.shell.path(operand)).await.ok();
        Some(match operator {
            "-z" => operand.is_empty(),
            "-n" => !operand.is_empty(),
            "-e" | "-a" => found.is_some(),
            "-f" => found.is_some_and(|found| !found.is_directory),
            "-d" => found.is_some_and(|found| found.is_directory),
            "-s" => found.is_some_and(|found| found.size_bytes > 0),
            "-r" | "-w" => found.is_some(),
            "-x" => found.is_some_and(|found| found.is_directory || found.mode & 0o111 != 0),
            "-t" => self.call.shell.world.interrupt.is_some(),
            "-L" | "-h" | "-p" | "-S" | "-b" | "-c" => false,
            _ => return None,
        })
    }

    async fn binary(&self, left: &str, operator: &str, right: &str) -> Result<Option<bool>> {
        let number = |text: &str| {
            let bad = |_| Failure::Code(2, format!("{text}: bad number"));
            text.trim().parse::<i64>().map_err(bad)
        };
        Ok(Some(match operator {
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "-eq" => number(left)? == number(right)?,
            "-ne" => number(left)? != number(right)?,
            "-lt" => number(left)? < number(right)?,
            "-le" => number(left)? <= number(right)?,
            "-gt" => number(left)? > number(right)?,
            "-ge" => number(left)? >= number(right)?,
            "-nt" | "-ot" => {
                let time = async |path: &str| {
                    let found = self.call.files().stat(&self.call.shell.path(path)).await;
                    found.map_or(i64::MIN, |found| found.modified_ns)
                };
                let (left, right) = (time(left).await, time(right).await);
                if operator == "-nt" {
                    left > right
                } else {
                    left < right
                }
            }
            _ => return Ok(None),
        }))
    }
}
