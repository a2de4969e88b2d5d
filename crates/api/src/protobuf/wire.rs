//! Protobuf's wire format: tags, varints, fixed numbers and lengths, read without ever going past the end.

use super::Error;

/// How a field's bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    /// A number in groups of seven bits.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// A length and as many bytes.
    Length,
    /// Four bytes.
    Fixed32,
}

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field's number and layout; `None` at the end.
    pub(super) fn tag(&mut self) -> Result<Option<(u32, WireType)>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Error::IllegalTag)?;
        let wire = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Length,
            5 => WireType::Fixed32,
            // Groups, which Kubernetes never used.
            _ => return Err(Error::IllegalTag),
        };
        if number == 0 {
            return Err(Error::IllegalTag);
        }
        Ok(Some((number, wire)))
    }

    /// A number in groups of seven bits, the lowest first.
    pub(super) fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Error::Truncated)?;
            self.rest = rest;
            // The bits that do not fit any more are lost, as in other decoders.
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::IllegalTag)
    }

    /// The bytes of a field that must have a length.
    pub(super) fn bytes(&mut self, number: u32, wire: WireType) -> Result<&'a [u8], Error> {
        if wire != WireType::Length {
            return Err(Error::WrongWireType(number));
        }
        let length = usize::try_from(self.varint()?).map_err(|_| Error::Truncated)?;
        self.take(length)
    }

    /// The text of a field that must have a length.
    pub(super) fn text(&mut self, number: u32, wire: WireType) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes(number, wire)?).map_err(|_| Error::IllegalValue(number))
    }

    /// A whole number; negative ones take ten bytes.
    pub(super) fn int(&mut self, number: u32, wire: WireType) -> Result<i64, Error> {
        match wire {
            WireType::Varint => Ok(self.varint()?.cast_signed()),
            _ => Err(Error::WrongWireType(number)),
        }
    }

    /// A floating point number of eight bytes.
    pub(super) fn double(&mut self, number: u32, wire: WireType) -> Result<f64, Error> {
        if wire != WireType::Fixed64 {
            return Err(Error::WrongWireType(number));
        }
        let bytes = self.take(8)?;
        let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| Error::Truncated)?;
        Ok(f64::from_le_bytes(bytes))
    }

    /// Passes over a field.
    pub(super) fn skip(&mut self, wire: WireType) -> Result<(), Error> {
        match wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.take(8).map(drop),
            WireType::Length => {
                let length = usize::try_from(self.varint()?).map_err(|_| Error::Truncated)?;
                self.take(length).map(drop)
            }
            WireType::Fixed32 => self.take(4).map(drop),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}
