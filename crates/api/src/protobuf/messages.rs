//! The table of types as protobuf sees it: fields by number, made when the first body comes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::schema::enclosed;
use crate::schema::table::{self, FieldRow, Row};

/// All messages.
pub(super) static MESSAGES: LazyLock<Messages> = LazyLock::new(Messages::new);

/// The type that deletes; clients write it in the version of the group that they delete in.
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
/// What values of `{[string]}` are wrapped in: protobuf has no map of lists.
const ITEMS: u32 = 1;

/// All messages of the table.
pub(super) struct Messages {
    messages: Vec<Message>,
    by_name: BTreeMap<&'static str, usize>,
    by_kind: BTreeMap<(&'static str, &'static str), usize>,
}

/// A message.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// By number.
    fields: Vec<Field>,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// Its number.
    pub(super) number: u32,
    /// What it is in JSON.
    pub(super) form: Form,
}

/// What a field of a message is in JSON.
#[derive(Debug)]
pub(super) enum Form {
    /// A message whose fields stand in the object around it.
    Inlined(Message),
    /// A field.
    Field {
        /// Its JSON name.
        name: &'static str,
        /// What it holds.
        ty: Type,
        /// Whether its zero was said on purpose.
        is_pointer: bool,
    },
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A floating point number.
    Number,
    /// Bytes, base64 in JSON.
    Bytes,
    /// Seconds and nanoseconds, whole seconds in JSON.
    Time,
    /// Seconds and nanoseconds, microseconds in JSON.
    MicroTime,
    /// Text in a message.
    Quantity,
    /// A number or text.
    IntOrString,
    /// JSON in a message.
    Raw,
    /// A schema, or several of them.
    SchemaOrArray,
    /// A schema, `true` or `false`.
    SchemaOrBool,
    /// A schema, or names.
    SchemaOrStrings,
    /// A message of its own, by its name.
    Message(&'static str),
    /// Several.
    List(Box<Type>),
    /// By name; a list in a map is wrapped in a message.
    Map(Box<Type>),
    /// A list wrapped in a message.
    Wrapped(Box<Type>),
}

impl Messages {
    fn new() -> Self {
        let mut messages = Self {
            messages: Vec::new(),
            by_name: BTreeMap::new(),
            by_kind: BTreeMap::new(),
        };
        for row in table::rows() {
            match row {
                Row::Type(row) => {
                    let at = messages.messages.len();
                    messages.messages.push(Message::default());
                    messages.by_name.insert(row.name, at);
                    if let Some(kind) = row.kind {
                        messages.by_kind.insert(kind, at);
                    }
                }
                Row::Field(row) => {
                    if let Some(message) = messages.messages.last_mut() {
                        message.add(&row, row.number);
                    }
                }
            }
        }
        messages
    }

    /// The message of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Message> {
        self.messages.get(*self.by_name.get(name)?)
    }

    /// The message of a body.
    pub(super) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Message> {
        match kind {
            "DeleteOptions" => self.named(DELETE_OPTIONS),
            _ => self.messages.get(*self.by_kind.get(&(api_version, kind))?),
        }
    }
}

impl Message {
    /// The field of this number.
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        let at = self
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()?;
        self.fields.get(at)
    }

    /// A message that wraps a list.
    pub(super) fn items(ty: Type) -> Self {
        let form = Form::Field {
            name: "items",
            ty: Type::List(Box::new(ty)),
            is_pointer: true,
        };
        Self {
            fields: vec![Field { number: ITEMS, form }],
        }
    }

    /// Adds a field under its number, or under those of the messages that it is inlined from.
    fn add(&mut self, row: &FieldRow, number: &str) {
        let (number, inner) = match number.split_once('.') {
            Some((outer, inner)) => (outer, Some(inner)),
            None => (number, None),
        };
        // What has no number is not there in protobuf.
        let Ok(number) = number.parse::<u32>() else { return };
        let place = self.fields.binary_search_by_key(&number, |field| field.number);
        match (place, inner) {
            (Ok(at), Some(inner)) => {
                if let Some(Form::Inlined(message)) = self.fields.get_mut(at).map(|field| &mut field.form) {
                    message.add(row, inner);
                }
            }
            (Err(at), inner) => {
                let form = match inner {
                    Some(inner) => {
                        let mut message = Self::default();
                        message.add(row, inner);
                        Form::Inlined(message)
                    }
                    None => Form::Field {
                        name: row.name,
                        ty: Type::parse(row.ty),
                        is_pointer: row.is_pointer,
                    },
                };
                self.fields.insert(at, Field { number, form });
            }
            (Ok(_), None) => {}
        }
    }
}

impl Type {
    fn parse(ty: &'static str) -> Self {
        if let Some(item) = enclosed(ty, '[', ']') {
            return Self::List(Box::new(Self::parse(item)));
        }
        if let Some(value) = enclosed(ty, '{', '}') {
            let value = match Self::parse(value) {
                Self::List(item) => Self::Wrapped(item),
                value => value,
            };
            return Self::Map(Box::new(value));
        }
        match ty {
            "string" => Self::String,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "number" => Self::Number,
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            "microtime" => Self::MicroTime,
            "quantity" => Self::Quantity,
            "intstr" => Self::IntOrString,
            "raw" | "fields" => Self::Raw,
            "schemaOrArray" => Self::SchemaOrArray,
            "schemaOrBool" => Self::SchemaOrBool,
            "schemaOrStrings" => Self::SchemaOrStrings,
            name => Self::Message(name),
        }
    }
}
