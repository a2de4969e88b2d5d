//! Passes over JSON text that the decoder cannot do: fields that occur twice, and the path of a place in the text.
//!
//! The scanner trusts nothing but does not validate: on broken text it stops. It keeps its own stack, so depth costs
//! memory and not the thread's stack, and the decoder has refused absurd depths before.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::schema::View;

#[cfg(test)]
mod tests;

/// Fields that should not be there, by their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StrangeFields {
    /// The shape has no such field. What is inside of one is not told.
    pub unknown: Vec<String>,
    /// They occur more than once in the same object, in the order of the repeats.
    pub duplicate: Vec<String>,
}

/// Finds what `shape` does not know and what occurs twice, in one pass.
pub fn strange_fields(json: &[u8], shape: View<'_>) -> StrangeFields {
    let mut walker = Walker::new(json, shape);
    walker.remember_keys = true;
    while walker.step().is_some() {}
    walker.strange
}

/// Paths of fields that occur more than once in the same object, in the order of the repeats.
pub fn duplicate_fields(json: &[u8]) -> Vec<String> {
    strange_fields(json, View::any()).duplicate
}

/// The path of the value that holds byte `offset`, for example `spec.containers[0].image`.
pub fn path_at(json: &[u8], offset: usize) -> String {
    let mut walker = Walker::new(json, View::any());
    let mut path = String::new();
    while let Some(value_at) = walker.step() {
        if value_at > offset {
            break;
        }
        path = walker.path();
    }
    path
}

/// The byte offset of a `line` and `column` as `serde_json` counts them, both from one.
pub fn offset_of(json: &[u8], line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(newlines) => {
            let mut ends = json
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1);
            ends.nth(newlines).unwrap_or(json.len())
        }
    };
    (start + column.saturating_sub(1)).min(json.len())
}

/// The ends of the fields of the outermost object: offsets of the commas between them and of the closing brace.
pub(crate) fn field_ends(json: &[u8]) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    json.iter().enumerate().filter_map(move |(at, byte)| {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                return (depth == 0).then_some(at);
            }
            b',' if depth == 1 => return Some(at),
            _ => {}
        }
        None
    })
}

enum Frame<'a, 's> {
    Object {
        key: Cow<'a, str>,
        seen: BTreeSet<Cow<'a, str>>,
        shape: View<'s>,
    },
    Array {
        index: usize,
        item: View<'s>,
    },
}

struct Walker<'a, 's> {
    json: &'a [u8],
    at: usize,
    stack: Vec<Frame<'a, 's>>,
    expects_key: bool,
    /// The shape of the value that comes next.
    next: View<'s>,
    remember_keys: bool,
    strange: StrangeFields,
}

impl<'a, 's> Walker<'a, 's> {
    fn new(json: &'a [u8], shape: View<'s>) -> Self {
        Self {
            json,
            at: 0,
            stack: Vec::new(),
            expects_key: false,
            next: shape,
            remember_keys: false,
            strange: StrangeFields::default(),
        }
    }

    /// Moves to the beginning of the next value and returns its offset; `None` at the end or on broken text.
    fn step(&mut self) -> Option<usize> {
        loop {
            match *self.json.get(self.at)? {
                b'"' if self.expects_key => self.key()?,
                b'"' => {
                    let start = self.at;
                    self.at += self.string_len()?;
                    return Some(start);
                }
                b'{' => {
                    self.stack.push(Frame::Object {
                        key: Cow::Borrowed(""),
                        seen: BTreeSet::new(),
                        shape: self.next,
                    });
                    self.expects_key = true;
                    self.at += 1;
                }
                b'[' => {
                    let item = self.next.item();
                    self.stack.push(Frame::Array { index: 0, item });
                    self.next = item;
                    self.expects_key = false;
                    self.at += 1;
                    return Some(self.at);
                }
                b'}' | b']' => {
                    self.stack.pop()?;
                    self.expects_key = false;
                    self.at += 1;
                }
                b',' => {
                    self.at += 1;
                    self.expects_key = match self.stack.last_mut()? {
                        Frame::Object { .. } => true,
                        Frame::Array { index, item } => {
                            *index += 1;
                            self.next = *item;
                            false
                        }
                    };
                }
                b':' => {
                    self.at += 1;
                    return Some(self.at);
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => {
                    let start = self.at;
                    let rest = &self.json[start..];
                    let end = rest.iter().position(|byte| b",]}\"{[: \t\r\n".contains(byte));
                    self.at += end.unwrap_or(rest.len()).max(1);
                    return Some(start);
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        let len = self.string_len()?;
        let raw = self.json.get(self.at..self.at + len)?;
        let name: Cow<'a, str> = match raw.contains(&b'\\') {
            true => Cow::Owned(serde_json::from_slice(raw).ok()?),
            false => String::from_utf8_lossy(&raw[1..len - 1]),
        };
        self.at += len;
        self.expects_key = false;
        let Frame::Object { key, seen, shape } = self.stack.last_mut()? else {
            return None;
        };
        key.clone_from(&name);
        let field = shape.field(&name);
        self.next = field.unwrap_or(View::any());
        let is_repeated = self.remember_keys && !seen.insert(name);
        if is_repeated {
            let path = self.path();
            self.strange.duplicate.push(path);
        } else if field.is_none() {
            let path = self.path();
            self.strange.unknown.push(path);
        }
        Some(())
    }

    /// Length of the string literal at the present place, quotes included.
    fn string_len(&self) -> Option<usize> {
        let mut escaped = false;
        for (len, byte) in self.json.get(self.at..)?.iter().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(len + 1),
                _ => {}
            }
        }
        None
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.stack {
            match frame {
                Frame::Object { key, .. } => {
                    if !path.is_empty() && !key.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
                Frame::Array { index, .. } => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}
