//! Kubernetes quantities such as `100m`, `1.5Gi` or `2e3`: exact amounts of CPU, memory and storage.
//!
//! An amount is kept in billionths in an `i128`, which holds everything the API allows (up to 2^63-1 in magnitude,
//! down to 1n) exactly. Finer amounts are rounded away from zero and larger ones capped, as the API says.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::api::resource;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod parse;
#[cfg(test)]
mod tests;

const NANOS: i128 = 1_000_000_000;
/// The largest amount that the API allows: 2^63-1.
const MAX_NANO: i128 = i64::MAX as i128 * NANOS;

/// How a quantity is written; kept from what was read, irrelevant for comparisons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// `12e6`.
    DecimalExponent,
    /// `12M`, `100m`.
    #[default]
    DecimalSi,
    /// `12Mi`.
    BinarySi,
}

/// An exact amount.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// Why text is no quantity; the messages are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    #[error("unable to parse quantity's suffix")]
    Suffix,
    #[error("unable to parse numeric part of quantity")]
    Numeric,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nano: 0,
        format: Format::DecimalSi,
    };

    fn new(nano: i128, format: Format) -> Self {
        Self {
            nano: nano.clamp(-MAX_NANO, MAX_NANO),
            format,
        }
    }

    /// A whole amount.
    pub fn from_whole(value: i64) -> Self {
        Self::new(i128::from(value) * NANOS, Format::DecimalSi)
    }

    /// An amount in thousandths, as CPU is counted.
    pub fn from_milli(value: i64) -> Self {
        Self::new(i128::from(value) * (NANOS / 1000), Format::DecimalSi)
    }

    /// An amount of bytes, written with binary suffixes.
    pub fn from_bytes(value: i64) -> Self {
        Self::new(i128::from(value) * NANOS, Format::BinarySi)
    }

    /// Reads text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text).map(|(nano, format)| Self::new(nano, format))
    }

    /// The quantity of an API object.
    pub fn from_api(quantity: &resource::Quantity) -> Result<Self, Error> {
        Self::parse(&quantity.0)
    }

    /// The quantity for an API object, in canonical form.
    pub fn to_api(self) -> resource::Quantity {
        resource::Quantity(self.to_string())
    }

    /// The amount in whole units, rounded away from zero: bytes, pods.
    pub fn whole(self) -> i64 {
        self.scaled(NANOS)
    }

    /// The amount in bytes, which is the amount in whole units.
    pub fn bytes(self) -> i64 {
        self.whole()
    }

    /// The amount in thousandths, rounded away from zero: millicores.
    pub fn milli(self) -> i64 {
        self.scaled(NANOS / 1000)
    }

    fn scaled(self, unit: i128) -> i64 {
        let value = divide_up(self.nano, unit);
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether it is exactly nothing.
    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// How it is written.
    pub fn format(self) -> Format {
        self.format
    }
}

/// Writes a valid quantity of an API object in canonical form; leaves others for validation to find.
pub fn normalize(quantity: &mut resource::Quantity) {
    if let Ok(parsed) = Quantity::from_api(quantity) {
        quantity.0 = parsed.to_string();
    }
}

/// Divides, rounding away from zero.
fn divide_up(value: i128, unit: i128) -> i128 {
    let quotient = value / unit;
    if value % unit == 0 {
        quotient
    } else {
        quotient + value.signum()
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl std::hash::Hash for Quantity {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.nano.hash(state);
    }
}

/// The sum takes the format of the first that is not zero, as upstream does.
impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self::new(self.nano + other.nano, format)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self::new(self.nano - other.nano, format)
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            nano: -self.nano,
            format: self.format,
        }
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

/// The canonical form: no fraction, the largest suffix that keeps it whole.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        if self.nano == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && self.nano.abs() >= 1024 * NANOS {
            let mut number = divide_up(self.nano, NANOS);
            let mut suffix = 0;
            while number % 1024 == 0 && suffix + 1 < BINARY.len() {
                number /= 1024;
                suffix += 1;
            }
            return write!(f, "{number}{}", BINARY[suffix]);
        }
        let mut number = self.nano;
        let mut suffix = 0;
        while number % 1000 == 0 && suffix + 1 < DECIMAL.len() {
            number /= 1000;
            suffix += 1;
        }
        match (self.format, suffix) {
            (_, 3) => write!(f, "{number}"),
            (Format::DecimalExponent, _) => write!(f, "{number}e{}", (suffix as i32 - 3) * 3),
            _ => write!(f, "{number}{}", DECIMAL[suffix]),
        }
    }
}

impl FromStr for Quantity {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a string or, as the API allows, a bare number.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Quantity::parse(text).map_err(E::custom)
            }
            fn visit_i64<E>(self, value: i64) -> Result<Quantity, E> {
                Ok(Quantity::from_whole(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }
        }
        deserializer.deserialize_any(Text)
    }
}
