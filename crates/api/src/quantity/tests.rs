//! Tests of `quantity`.

use proptest::prelude::*;

use super::*;

#[test]
fn canonical_forms_are_upstreams() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Quantity::parse(text).unwrap().to_string(), expected, "{text}");
    };
    check("0", "0");
    check("-0", "0");
    check("0Ki", "0");
    check("1", "1");
    check("+1", "1");
    check("1.", "1");
    check(".5", "500m");
    check("0.5", "500m");
    check("100m", "100m");
    check("1000m", "1");
    check("1500m", "1500m");
    check("1.5Gi", "1536Mi");
    check("1Gi", "1Gi");
    check("1024Ki", "1Mi");
    check("1024", "1024");
    check("1000", "1k");
    check("1000Ki", "1000Ki");
    check("0.5Ki", "512");
    check("512Ki", "512Ki");
    check("1023.5Ki", "1048064");
    check("2e3", "2e3");
    check("1E", "1E");
    check("1E3", "1e3");
    check("12e-3", "12e-3");
    check("100000k", "100M");
    check("0.1n", "1n");
    check("1.1n", "2n");
    check("-1.1n", "-2n");
    check("9223372036854775807", "9223372036854775807");
    check("9223372036854775808", "9223372036854775807");
    check("100E", "9223372036854775807");
    check("1e100", "9223372036854775807e0".trim_end_matches("e0"));
    check("1e-100", "1e-9");
    check("8Ei", "9223372036854775807");
    check(
        "123456789012345678901234567890123456789012345678901234567890",
        "9223372036854775807",
    );
}

#[test]
fn what_is_no_quantity_is_refused() {
    let check = |text: &str, expected: Error| assert_eq!(Quantity::parse(text), Err(expected), "{text:?}");
    check("", Error::Format);
    check("-", Error::Format);
    check("Gi", Error::Format);
    check("ten", Error::Format);
    check("1.2.3", Error::Numeric);
    check(".", Error::Numeric);
    check("1X", Error::Suffix);
    check("1 Gi", Error::Suffix);
    check("1KI", Error::Suffix);
    check("1e", Error::Suffix);
    check("1e+-3", Error::Suffix);
    check("1e99999999999", Error::Suffix);
    check("1ä", Error::Suffix);
}

#[test]
fn amounts_are_rounded_up_for_counting() {
    let quantity = |text: &str| Quantity::parse(text).unwrap();
    assert_eq!(quantity("100m").milli(), 100);
    assert_eq!(quantity("0.1m").milli(), 1);
    assert_eq!(quantity("100m").whole(), 1);
    assert_eq!(quantity("-100m").whole(), -1);
    assert_eq!(quantity("1Gi").bytes(), 1 << 30);
    assert_eq!(quantity("9E").milli(), i64::MAX);
    assert_eq!((quantity("1Gi") + quantity("1Mi")).to_string(), "1025Mi");
    assert_eq!((Quantity::ZERO + quantity("1Gi")).to_string(), "1Gi");
    assert_eq!((quantity("1") - quantity("1500m")).to_string(), "-500m");
    assert_eq!(quantity("1Ki"), quantity("1024"));
    assert_eq!(
        [quantity("1"), quantity("250m")]
            .into_iter()
            .sum::<Quantity>()
            .milli(),
        1250
    );
    assert_eq!(
        serde_json::from_str::<Quantity>("1.5").unwrap().to_string(),
        "1500m"
    );
}

proptest! {
    #[test]
    fn the_canonical_form_keeps_the_amount(nano in -MAX_NANO..=MAX_NANO, scale in 0u32..28) {
        let nano = nano / 10_i128.pow(scale);
        for format in [Format::DecimalSi, Format::DecimalExponent] {
            let quantity = Quantity { nano, format };
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
        }
        let bytes = Quantity { nano: nano / NANOS * NANOS, format: Format::BinarySi };
        prop_assert_eq!(Quantity::parse(&bytes.to_string()), Ok(bytes));
    }

    #[test]
    fn decimal_text_means_what_it_says(whole in 0i64..1_000_000_000, milli in 0i64..1000) {
        let parsed = Quantity::parse(&format!("{whole}.{milli:03}")).unwrap();
        prop_assert_eq!(parsed, Quantity::from_milli(whole * 1000 + milli));
        let binary = Quantity::parse(&format!("{whole}Mi")).unwrap();
        prop_assert_eq!(i128::from(binary.bytes()), i128::from(whole) << 20);
    }

    #[test]
    fn sums_and_order_are_those_of_integers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
        let (x, y) = (Quantity::from_milli(a), Quantity::from_milli(b));
        prop_assert_eq!((x + y).milli(), a + b);
        prop_assert_eq!((x - y).milli(), a - b);
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "[-+]?[0-9.]{0,50}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,12}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            prop_assert!(quantity.nano.abs() <= MAX_NANO);
        }
    }
}
