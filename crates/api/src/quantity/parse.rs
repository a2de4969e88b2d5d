//! Text to billionths.

use super::{Error, Format, MAX_NANO, divide_up};

/// Most significant digits that are kept: as many as an `i128` holds with room for the binary suffix.
const DIGITS_MAX: usize = 37;
const DIGITS_MAX_BINARY: usize = 19;

/// The amount in billionths, not yet capped below the limits of `i128`'s own, and how it was written.
pub(super) fn parse(text: &str) -> Result<(i128, Format), Error> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let end = unsigned.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    if number.is_empty() {
        return Err(Error::Format);
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(Error::Numeric);
    }
    let (power_of_two, power_of_ten, format) = parse_suffix(suffix)?;
    let digits_max = if power_of_two > 0 {
        DIGITS_MAX_BINARY
    } else {
        DIGITS_MAX
    };
    let magnitude = magnitude(whole, fraction, power_of_two, power_of_ten, digits_max);
    Ok((if negative { -magnitude } else { magnitude }, format))
}

/// The suffix as powers of two and of ten.
fn parse_suffix(suffix: &str) -> Result<(u32, i32, Format), Error> {
    let decimal = |power: i32| Ok((0, power, Format::DecimalSi));
    let binary = |power: u32| Ok((power, 0, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(Error::Suffix)?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Error::Suffix);
            }
            let power: i32 = exponent.parse().map_err(|_| Error::Suffix)?;
            Ok((0, power, Format::DecimalExponent))
        }
    }
}

/// `whole.fraction * 2^power_of_two * 10^power_of_ten` in billionths, rounded up; at least [`MAX_NANO`] where it is
/// too large.
fn magnitude(whole: &str, fraction: &str, power_of_two: u32, power_of_ten: i32, digits_max: usize) -> i128 {
    let mut value: i128 = 0;
    let mut digits = 0;
    let mut dropped = 0_i64;
    let mut inexact = false;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = i128::from(byte - b'0');
        if digits < digits_max {
            value = value * 10 + digit;
            digits += usize::from(value > 0);
        } else {
            dropped += 1;
            inexact |= digit > 0;
        }
    }
    if inexact {
        value += 1;
    }
    if value == 0 {
        return 0;
    }
    let fraction_len = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let power = i64::from(power_of_ten) + dropped - fraction_len + 9;
    // The first factor cannot overflow: 10^37, or 10^19 times 2^60.
    let value = value << power_of_two;
    match u32::try_from(power.unsigned_abs())
        .ok()
        .and_then(|power| 10_i128.checked_pow(power))
    {
        Some(factor) if power >= 0 => value.checked_mul(factor).unwrap_or(MAX_NANO),
        Some(factor) => divide_up(value, factor),
        None if power >= 0 => MAX_NANO,
        None => 1,
    }
}
