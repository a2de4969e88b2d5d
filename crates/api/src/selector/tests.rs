//! Tests of `selector`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::kinds::{CONFIG_MAP, POD};

fn labels(text: &str) -> BTreeMap<String, String> {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn selectors_match_as_upstream_does() {
    let check = |selector: &str, set: &str, expected: bool| {
        let parsed = LabelSelector::parse(selector).unwrap();
        assert_eq!(parsed.matches(&labels(set)), expected, "{selector:?} on {set:?}");
    };
    check("", "", true);
    check("", "x=y", true);
    check("x=y", "x=y", true);
    check("x=y,z=w", "x=y z=w", true);
    check("x=y,z=w", "x=y", false);
    check("x!=y", "", true);
    check("x!=y", "x=y", false);
    check("x", "x=", true);
    check("!x", "x=", false);
    check("!x", "y=1", true);
    check("x in (a,b)", "x=b", true);
    check("x in (a,b)", "", false);
    check("x notin (a,b)", "x=b", false);
    check("x notin (a,b)", "", true);
    check("x=", "x=", true);
    check("x in ()", "x=", true);
    check("x in (,a)", "x=", true);
    check("x>5", "x=6", true);
    check("x>5", "x=abc", false);
    check("x<5", "x=-6", true);
    check("in in (in,notin)", "in=notin", true);
    check("example.com/a=b", "example.com/a=b", true);
}

#[test]
fn selectors_print_in_one_form() {
    let check = |selector: &str, expected: &str| {
        assert_eq!(
            LabelSelector::parse(selector).unwrap().to_string(),
            expected,
            "{selector:?}"
        );
    };
    check(" z = 1 , a  in ( c , b,b ) ", "a in (b,c),z=1");
    check("!x", "!x");
    check("! x,y", "!x,y");
    check("x==1", "x==1");
    check("x != 1", "x!=1");
    check("x notin(a)", "x notin (a)");
    check("x in (,)", "x in ()");
    check("x>01", "x>01");
}

#[test]
fn bad_selectors_get_upstreams_messages() {
    let check = |selector: &str, expected: &str| {
        assert_eq!(
            LabelSelector::parse(selector).unwrap_err().to_string(),
            expected,
            "{selector:?}"
        );
    };
    check("a in b", "unable to parse requirement: found 'b' expected: '('");
    check(
        "x=a*b",
        "unable to parse requirement: values[0][x]: Invalid value: \"a*b\": a valid label must be an empty string or \
         consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
         (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    );
    check("x=a b", "found 'b', expected: ',' or 'end of string'");
    check("x=a,", "found '', expected: identifier after ','");
    check(",x", "found ',', expected: !, identifier, or 'end of string'");
    check(
        "x (",
        "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt",
    );
}

#[test]
fn other_broken_text_is_refused() {
    for text in [
        "x in (a",
        "x in a)",
        "x=(a)",
        "!x=a",
        "x in (a b)",
        "x>a",
        "x>",
        "==x",
        "x y",
        "()",
        "x in",
        "-x",
    ] {
        assert!(LabelSelector::parse(text).is_err(), "{text:?}");
    }
    assert!(LabelSelector::parse(&"x".repeat(SELECTOR_MAX_BYTES + 1)).is_err());
}

#[test]
fn selectors_of_objects() {
    let json = r#"{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"t","operator":"In","values":["b","a"]},{"key":"x","operator":"DoesNotExist"}]}"#;
    let selector: LabelSelector = serde_json::from_str(json).unwrap();
    assert_eq!(selector.to_string(), "app=web,t in (a,b),!x");
    assert_eq!(selector.requires_exact("app"), Some("web"));
    assert_eq!(selector.requires_exact("t"), None);
    let api = serde_json::from_str(json).unwrap();
    assert_eq!(LabelSelector::from_api(&api).unwrap(), selector);
    assert!(!LabelSelector::from_api_option(None).unwrap().matches(&labels("")));
    assert!(
        serde_json::from_str::<LabelSelector>("{}")
            .unwrap()
            .is_everything()
    );
    assert!(
        serde_json::from_str::<LabelSelector>(r#"{"matchExpressions":[{"key":"a","operator":"Is"}]}"#)
            .is_err()
    );
}

#[test]
fn field_selectors_match() {
    let fields = |name: &str| -> Option<Cow<'static, str>> {
        match name {
            "spec.nodeName" => Some(Cow::Borrowed("node-1")),
            "odd" => Some(Cow::Borrowed("a,b=c\\")),
            _ => None,
        }
    };
    let check = |text: &str, expected: bool| {
        assert_eq!(
            FieldSelector::parse(text).unwrap().matches(fields),
            expected,
            "{text:?}"
        );
    };
    check("", true);
    check(",", true);
    check("spec.nodeName=node-1", true);
    check("spec.nodeName==node-2", false);
    check("spec.nodeName!=node-1", false);
    check("missing=", true);
    check("missing!=x,spec.nodeName=node-1", true);
    check(r"odd=a\,b\=c\\", true);
    let selector = FieldSelector::parse("a!=b,spec.nodeName=node-1").unwrap();
    assert_eq!(selector.requires_exact("spec.nodeName"), Some("node-1"));
    assert_eq!(selector.requires_exact("a"), None);
}

#[test]
fn bad_field_selectors_get_upstreams_messages() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            FieldSelector::parse(text).unwrap_err().to_string(),
            expected,
            "{text:?}"
        );
    };
    check("abc", "invalid selector: 'abc'; can't understand 'abc'");
    check(r"a=b\c", r"invalid field selector: invalid escape sequence: \c");
    check(
        "a=b=c",
        "invalid field selector: unescaped character in value: 61",
    );
    let refused = FieldSelector::parse_for(POD, "spec.foo=1").unwrap_err();
    assert_eq!(refused.to_string(), "field label not supported: spec.foo");
    let refused = FieldSelector::parse_for(CONFIG_MAP, "data.x=1").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "\"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
    assert!(FieldSelector::parse_for(POD, "status.phase!=Failed").is_ok());
}

/// The obvious model: what a person would say a requirement means.
fn model(key: &str, operator: Operator, values: &[String], set: &BTreeMap<String, String>) -> bool {
    match (operator, set.get(key)) {
        (Operator::Exists, value) => value.is_some(),
        (Operator::DoesNotExist, value) => value.is_none(),
        (Operator::In | Operator::Equals | Operator::DoubleEquals, Some(value)) => values.contains(value),
        (Operator::In | Operator::Equals | Operator::DoubleEquals, None) => false,
        (_, Some(value)) => !values.contains(value),
        (_, None) => true,
    }
}

fn requirement() -> impl Strategy<Value = (String, Operator, Vec<String>)> {
    let operator = prop::sample::select(vec![
        Operator::In,
        Operator::NotIn,
        Operator::Equals,
        Operator::DoubleEquals,
        Operator::NotEquals,
        Operator::Exists,
        Operator::DoesNotExist,
    ]);
    ("[abc]", operator, prop::collection::vec("[xyz]?", 1..4)).prop_map(|(key, operator, mut values)| {
        match operator {
            Operator::In | Operator::NotIn => {}
            Operator::Exists | Operator::DoesNotExist => values.clear(),
            _ => values.truncate(1),
        }
        (key, operator, values)
    })
}

proptest! {
    #[test]
    fn text_and_matching_agree_with_the_model(
        wanted in prop::collection::vec(requirement(), 0..4),
        set in prop::collection::btree_map("[abc]", "[xyz]?", 0..3),
    ) {
        let built = wanted.iter().map(|(key, operator, values)| {
            Requirement::new(key, *operator, values.iter().map(String::as_str)).unwrap()
        });
        let selector = LabelSelector::from_requirements(built.collect());
        let expected = wanted.iter().all(|(key, operator, values)| model(key, *operator, values, &set));
        prop_assert_eq!(selector.matches(&set), expected);
        prop_assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "[a-c=!<>(), in\\\\.]{0,24}") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            prop_assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
        }
        if let Ok(selector) = FieldSelector::parse(&text) {
            let again = FieldSelector::parse(&selector.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), selector.to_string());
        }
    }
}
