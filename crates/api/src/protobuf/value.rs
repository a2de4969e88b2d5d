//! One field's value: from bytes on the wire to what stands in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::messages::{Field, Form, MESSAGES, Message, Type};
use super::wire::{Reader, WireType};
use super::{Error, MAGIC, Transcoder};
use crate::time;

/// The type that the unions of a schema hold.
const SCHEMA: Type =
    Type::Message("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");

impl Transcoder {
    /// Reads a field into `object`.
    pub(super) fn field(
        &mut self,
        field: &Field,
        wire: WireType,
        reader: &mut Reader<'_>,
        object: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        let number = field.number;
        let (name, ty, is_pointer) = match &field.form {
            Form::Inlined(message) => {
                let bytes = reader.bytes(number, wire)?;
                return self.message(message, bytes, object, depth + 1);
            }
            Form::Field { name, ty, is_pointer } => (*name, ty, *is_pointer),
        };
        match ty {
            Type::List(item) => {
                let list = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(list) = list else { return Ok(()) };
                if wire == WireType::Length && matches!(**item, Type::Int | Type::Bool) {
                    let mut packed = Reader::new(reader.bytes(number, wire)?);
                    while !packed.is_empty() {
                        list.push(self.value(item, number, WireType::Varint, &mut packed, depth)?);
                    }
                } else {
                    list.push(self.value(item, number, wire, reader, depth)?);
                }
            }
            Type::Map(value) => {
                let (key, value) = self.entry(value, reader.bytes(number, wire)?, depth)?;
                let map = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            Type::Message(_) => {
                // A message that comes in parts is one message.
                let before = object.remove(name);
                let mut value = self.value(ty, number, wire, reader, depth)?;
                if let (Some(Value::Object(mut before)), Value::Object(after)) = (before, &mut value) {
                    before.append(after);
                    *after = before;
                }
                object.insert(name.to_owned(), value);
            }
            _ => {
                let value = self.value(ty, number, wire, reader, depth)?;
                if value.is_null() || (!is_pointer && is_zero(ty, &value)) {
                    object.remove(name);
                } else {
                    object.insert(name.to_owned(), value);
                }
            }
        }
        Ok(())
    }

    /// An entry of a map: a message of key and value.
    fn entry(&mut self, ty: &Type, bytes: &[u8], depth: usize) -> Result<(String, Value), Error> {
        let mut reader = Reader::new(bytes);
        let (mut key, mut value) = ("", None);
        while let Some((number, wire)) = reader.tag()? {
            match number {
                1 => key = reader.text(number, wire)?,
                2 => value = Some(self.value(ty, number, wire, &mut reader, depth)?),
                _ => reader.skip(wire)?,
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.empty(ty, depth)?,
        };
        Ok((key.to_owned(), value))
    }

    /// The value of an entry that has none: the type's zero.
    fn empty(&mut self, ty: &Type, depth: usize) -> Result<Value, Error> {
        match ty {
            Type::String | Type::Bytes => Ok("".into()),
            Type::Bool => Ok(false.into()),
            Type::Int | Type::Number => Ok(0.into()),
            _ => {
                // No bytes after a length of zero.
                let mut nothing = Reader::new(&[0]);
                self.value(ty, 2, WireType::Length, &mut nothing, depth)
            }
        }
    }

    /// Reads one value.
    fn value(
        &mut self,
        ty: &Type,
        number: u32,
        wire: WireType,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<Value, Error> {
        self.count()?;
        let illegal = || Error::IllegalValue(number);
        Ok(match ty {
            Type::String => reader.text(number, wire)?.into(),
            Type::Bool => (reader.int(number, wire)? != 0).into(),
            Type::Int => reader.int(number, wire)?.into(),
            Type::Number => {
                let double = reader.double(number, wire)?;
                Value::Number(Number::from_f64(double).ok_or_else(illegal)?)
            }
            Type::Bytes => STANDARD.encode(reader.bytes(number, wire)?).into(),
            Type::Time => timestamp(reader.bytes(number, wire)?, number)?
                .map_or(Value::Null, |timestamp| time::format(timestamp).into()),
            Type::MicroTime => timestamp(reader.bytes(number, wire)?, number)?
                .map_or(Value::Null, |timestamp| time::format_micro(timestamp).into()),
            Type::Quantity => match first_text(reader.bytes(number, wire)?)? {
                "" => "0".into(),
                quantity => quantity.into(),
            },
            Type::IntOrString => int_or_string(reader.bytes(number, wire)?)?,
            Type::Raw => self.raw(reader.bytes(number, wire)?, number, depth)?,
            Type::Message(name) => {
                let bytes = reader.bytes(number, wire)?;
                let mut object = Map::new();
                if let Some(message) = MESSAGES.named(name) {
                    self.message(message, bytes, &mut object, depth + 1)?;
                }
                Value::Object(object)
            }
            Type::Wrapped(item) => {
                let mut object = Map::new();
                let message = Message::items((**item).clone());
                self.message(&message, reader.bytes(number, wire)?, &mut object, depth + 1)?;
                object.remove("items").unwrap_or_else(|| Value::Array(Vec::new()))
            }
            Type::SchemaOrArray | Type::SchemaOrBool | Type::SchemaOrStrings => {
                self.union(ty, reader.bytes(number, wire)?, depth)?
            }
            // Protobuf has no lists of lists and no lists of maps.
            Type::List(_) | Type::Map(_) => return Err(Error::WrongWireType(number)),
        })
    }

    /// One of the unions that a JSON schema is made of.
    fn union(&mut self, ty: &Type, bytes: &[u8], depth: usize) -> Result<Value, Error> {
        let mut reader = Reader::new(bytes);
        let (mut schema, mut list, mut allows) = (None, Vec::new(), false);
        while let Some((number, wire)) = reader.tag()? {
            match (ty, number) {
                (Type::SchemaOrBool, 1) => allows = reader.int(number, wire)? != 0,
                (Type::SchemaOrBool, 2) | (_, 1) => {
                    schema = Some(self.value(&SCHEMA, number, wire, &mut reader, depth)?);
                }
                (Type::SchemaOrArray, 2) => {
                    list.push(self.value(&SCHEMA, number, wire, &mut reader, depth)?);
                }
                (_, 2) => list.push(self.value(&Type::String, number, wire, &mut reader, depth)?),
                _ => reader.skip(wire)?,
            }
        }
        Ok(match (schema, ty) {
            _ if !list.is_empty() => Value::Array(list),
            (Some(schema), _) => schema,
            (None, Type::SchemaOrBool) => allows.into(),
            (None, _) => Value::Null,
        })
    }

    /// `RawExtension`, `JSON` and `FieldsV1`: JSON in a message; an embedded object may be protobuf again.
    fn raw(&mut self, bytes: &[u8], number: u32, depth: usize) -> Result<Value, Error> {
        let mut reader = Reader::new(bytes);
        let mut raw = &[][..];
        while let Some((number, wire)) = reader.tag()? {
            match number {
                1 => raw = reader.bytes(number, wire)?,
                _ => reader.skip(wire)?,
            }
        }
        if raw.is_empty() {
            return Ok(Value::Null);
        }
        if raw.starts_with(MAGIC) {
            return self.envelope(raw, None, depth + 1);
        }
        serde_json::from_slice(raw).map_err(|_| Error::IllegalValue(number))
    }
}

/// Whether Go leaves this value out where the field is no pointer. Messages are always written.
fn is_zero(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Quantity, _) => false,
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Bool(value)) => !value,
        (_, Value::Number(number)) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

/// `Time` and `MicroTime`: seconds and nanoseconds; both zero where there is no time.
fn timestamp(bytes: &[u8], field: u32) -> Result<Option<Timestamp>, Error> {
    let mut reader = Reader::new(bytes);
    let (mut seconds, mut nanos) = (0, 0);
    while let Some((number, wire)) = reader.tag()? {
        match number {
            1 => seconds = reader.int(number, wire)?,
            2 => nanos = reader.int(number, wire)?,
            _ => reader.skip(wire)?,
        }
    }
    if seconds == 0 && nanos == 0 {
        return Ok(None);
    }
    let illegal = |_| Error::IllegalValue(field);
    let nanos = i32::try_from(nanos).map_err(|_| Error::IllegalValue(field))?;
    Timestamp::new(seconds, nanos).map(Some).map_err(illegal)
}

/// The text of field 1.
fn first_text(bytes: &[u8]) -> Result<&str, Error> {
    let mut reader = Reader::new(bytes);
    let mut text = "";
    while let Some((number, wire)) = reader.tag()? {
        match number {
            1 => text = reader.text(number, wire)?,
            _ => reader.skip(wire)?,
        }
    }
    Ok(text)
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes);
    let (mut is_text, mut int, mut text) = (false, 0, "");
    while let Some((number, wire)) = reader.tag()? {
        match number {
            1 => is_text = reader.int(number, wire)? == 1,
            2 => int = reader.int(number, wire)?,
            3 => text = reader.text(number, wire)?,
            _ => reader.skip(wire)?,
        }
    }
    Ok(if is_text { text.into() } else { int.into() })
}
