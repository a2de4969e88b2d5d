//! The named formats of strings and numbers that are checked; a format that is not listed here is only documentation,
//! as upstream has it.

use std::net::{Ipv4Addr, Ipv6Addr};

use coracle_api::time;

/// Whether text has a format.
pub(crate) fn is_text(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => time::parse(text).is_some(),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "duration" => duration_nanos(text).is_some(),
        "byte" => is_base64(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(format, text),
        "hostname" => is_hostname(text),
        "email" => is_email(text),
        "uri" => is_uri(text),
        "hexcolor" => is_hex_color(text),
        _ => true,
    }
}

/// Whether a number has a format.
pub(crate) fn is_number(format: &str, number: &serde_json::Number) -> bool {
    match format {
        "int32" => number
            .as_f64()
            .is_some_and(|value| value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX)),
        "int64" => number.is_i64() || number.as_f64().is_some_and(|value| value.abs() < 9.3e18),
        "float" => number
            .as_f64()
            .is_some_and(|value| value.abs() <= f64::from(f32::MAX)),
        _ => true,
    }
}

/// A duration as Go writes it (`1h30m`, `1.5s`), in nanoseconds.
pub(crate) fn duration_nanos(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .filter(|end| *end > 0)?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let nanos = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * nanos;
        rest = tail;
    }
    (total < 9.2e18).then_some((sign * total) as i64)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(fits)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let Ok(bits) = bits.parse::<u8>() else {
        return false;
    };
    (address.parse::<Ipv4Addr>().is_ok() && bits <= 32)
        || (address.parse::<Ipv6Addr>().is_ok() && bits <= 128)
}

fn is_mac(text: &str) -> bool {
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<&str> = text.split(separator).collect();
    let is_pair = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    matches!(parts.len(), 6 | 8 | 20) && parts.iter().all(is_pair)
}

fn is_uuid(format: &str, text: &str) -> bool {
    let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let dashes = text.len() - bytes.len();
    let version = match format {
        "uuid3" => Some(b'3'),
        "uuid4" => Some(b'4'),
        "uuid5" => Some(b'5'),
        _ => None,
    };
    bytes.len() == 32
        && dashes <= 4
        && bytes.iter().all(u8::is_ascii_hexdigit)
        && version.is_none_or(|version| bytes.get(12) == Some(&version))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 255 && text.trim_end_matches('.').split('.').all(is_label)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let fits = |character: char| character.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(character);
    !local.is_empty() && local.chars().all(fits) && is_hostname(domain)
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return text.starts_with('/') && !text.contains(char::is_whitespace);
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic())
        && scheme.bytes().all(fits)
        && !rest.is_empty()
        && !rest.contains(char::is_whitespace)
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
