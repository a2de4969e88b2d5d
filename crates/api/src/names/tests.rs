//! Tests of `names`.

use super::*;

fn check(function: fn(&str) -> Vec<String>, right: &[&str], wrong: &[&str]) {
    for text in right {
        assert_eq!(function(text), Vec::<String>::new(), "{text:?}");
    }
    for text in wrong {
        assert!(!function(text).is_empty(), "{text:?}");
    }
}

#[test]
fn the_forms_are_upstreams() {
    let long = "a".repeat(64);
    let longer = "a".repeat(254);
    check(
        label,
        &["a", "0", "a-b", "a--b"],
        &["", "-a", "a-", "A", "a.b", "a_b", "ä", &long],
    );
    check(label_1035, &["a", "a1", "a-b"], &["", "1a", "-a", "a-", &long]);
    check(
        subdomain,
        &["a", "a.b", "1.2", &long],
        &["", ".", "a..b", ".a", "a.", "BAD_", "a.-b", &longer],
    );
    check(
        qualified_name,
        &["a", "A_b.c", "example.com/name", "a/b", "kubernetes.io/hostname"],
        &["", "/", "/a", "a/", "a/b/c", "Ex/a", "-a", "a b", &long],
    );
    check(
        label_value,
        &["", "a", "A_b.c", "1"],
        &["-", "a-", "a b", "a/b", &long],
    );
    check(
        config_key,
        &["a", "A.b_c-d", ".a"],
        &["", ".", "..", "..a", "a/b", " ", &longer],
    );
    check(env_name, &["A", "a.b", "my var", "1"], &["", "a=b", "ä", "a\n"]);
    check(
        port_name,
        &["http", "a", "x-1"],
        &["", "-a", "a-", "a--b", "1", "A", "abcdefghijklmnop"],
    );
    check(
        path_segment,
        &["a", "system:node", "A B", "..."],
        &[".", "..", "a/b", "50%"],
    );
    check(field_manager, &["", "kubectl"], &["a\u{7}", &"m".repeat(129)]);
}

#[test]
fn the_message_for_a_bad_pod_name_is_the_observed_one() {
    assert_eq!(
        subdomain("BAD_"),
        [
            r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert!(label("A")[0].contains("(e.g. 'my-name',  or '123-abc', regex"));
}

#[test]
fn generated_names_are_short_and_differ() {
    let name = generate_name("web-", 12_345);
    assert_eq!(name.len(), 9);
    assert!(subdomain(&name).is_empty());
    assert_eq!(generate_name("web-", 12_345), name);
    assert_ne!(generate_name("web-", 12_346), name);
    assert_eq!(generate_name(&"x".repeat(300), 7).len(), GENERATED_NAME_MAX_BYTES);
    assert_eq!(
        generate_name(&"ä".repeat(40), u64::MAX).chars().count(),
        29 + SUFFIX_LEN
    );
}

#[test]
fn uids_are_uuids() {
    assert_eq!(uid(0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(uid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

#[test]
fn ports_are_in_range() {
    assert!(port_number(0).is_some() && port_number(65_536).is_some());
    assert!(port_number(1).is_none() && port_number(65_535).is_none());
}
