//! Reads `table.txt`, the committed facts about the built-in types: one line a type, one line a field.
//!
//! The table is made by `cargo run -p xtask -- schema` and is part of the program, so a line that cannot be read is a
//! mistake of ours; a test finds it. Here such lines are passed over.

/// The table itself.
pub const TEXT: &str = include_str!("table.txt");

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Row {
    /// A type; its fields follow.
    Type(TypeRow),
    /// A field of the type above.
    Field(FieldRow),
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TypeRow {
    /// Its name in OpenAPI, for example `io.k8s.api.core.v1.PodSpec`.
    pub(crate) name: &'static str,
    /// `apiVersion` and `kind`, where objects of it are bodies of their own.
    pub(crate) kind: Option<(&'static str, &'static str)>,
    /// Whether it is replaced as a whole.
    pub(crate) is_atomic: bool,
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct FieldRow {
    /// Its JSON name.
    pub(crate) name: &'static str,
    /// Its number in protobuf; several joined by dots where messages are inlined, `-` where it is not there.
    pub(crate) number: &'static str,
    /// `string`, `int` and so on, the name of a type, `[T]` or `{T}`.
    pub(crate) ty: &'static str,
    /// Whether a zero in protobuf was said on purpose.
    pub(crate) is_pointer: bool,
    /// A map that is replaced as a whole.
    pub(crate) is_atomic: bool,
    /// A list whose items occur once.
    pub(crate) is_set: bool,
    /// The fields that tell the items of a list apart, joined by commas; empty where the list is replaced.
    pub(crate) keys: &'static str,
    /// What strategic merge patch tells the items by; empty for a set.
    pub(crate) patch: Option<&'static str>,
    /// Whether `$retainKeys` matters.
    pub(crate) retain: bool,
    /// What is assumed where it is missing, as JSON.
    pub(crate) default: Option<&'static str>,
}

/// The lines, comments left out.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    lines().filter_map(parse)
}

/// The lines as text, comments left out.
pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter(|line| !line.starts_with('#'))
}

/// Reads one line.
pub(super) fn parse(line: &'static str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    if !line.starts_with(' ') {
        let name = words.next()?;
        let mut row = TypeRow {
            name,
            kind: None,
            is_atomic: false,
        };
        while let Some(word) = words.next() {
            match word {
                "=" => row.kind = Some((words.next()?, words.next()?)),
                "atomic" => row.is_atomic = true,
                _ => return None,
            }
        }
        return Some(Row::Type(row));
    }
    let mut row = FieldRow {
        name: words.next()?,
        number: words.next()?,
        ty: words.next()?,
        ..FieldRow::default()
    };
    for word in words {
        match word.split_once('=') {
            None => match word {
                "required" => {}
                "pointer" => row.is_pointer = true,
                "atomic" => row.is_atomic = true,
                "set" => row.is_set = true,
                "retain" => row.retain = true,
                _ => return None,
            },
            Some(("keys", keys)) => row.keys = keys,
            Some(("patch", key)) => row.patch = Some(key),
            Some(("default", value)) => row.default = Some(value),
            Some(_) => return None,
        }
    }
    Some(Row::Field(row))
}
