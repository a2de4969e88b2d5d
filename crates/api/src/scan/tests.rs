//! Tests of `scan`.

use super::*;

#[test]
fn duplicates_are_found_at_every_depth() {
    let check =
        |json: &str, expected: &[&str]| assert_eq!(duplicate_fields(json.as_bytes()), expected, "{json}");
    check(r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#, &[]);
    check(r#"{"a":1,"b":2,"a":3}"#, &["a"]);
    check(r#"{"data":{"a":"x","a":"y","a":"z"}}"#, &["data.a", "data.a"]);
    check(r#"{"spec":[{"x":1},{"n":"\"}{","n":[]}]}"#, &["spec[1].n"]);
    check(r#"{"a":1,"\u0061":2}"#, &["a"]);
    check("", &[]);
    check(r#"{"a":1,"a"#, &[]);
    check("}}]]", &[]);
}

#[test]
fn a_place_has_a_path() {
    let json = r#"{"spec": {"containers": [{"name": "a"}, {"name": 7, "image": "x"}]}, "z": true}"#;
    let check = |needle: &str, expected: &str| {
        let offset = json.find(needle).unwrap();
        assert_eq!(path_at(json.as_bytes(), offset), expected, "{needle}");
    };
    check("7", "spec.containers[1].name");
    check("\"a\"", "spec.containers[0].name");
    check("true", "z");
    assert_eq!(path_at(b"", 3), "");
}

#[test]
fn lines_and_columns_become_offsets() {
    let text = b"ab\ncd\nef";
    assert_eq!(offset_of(text, 1, 1), 0);
    assert_eq!(offset_of(text, 2, 2), 4);
    assert_eq!(offset_of(text, 3, 1), 6);
    assert_eq!(offset_of(text, 9, 9), 8);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_scanner_panic_or_loop(bytes in proptest::collection::vec(0u8..128, 0..200), at in 0usize..220) {
        duplicate_fields(&bytes);
        path_at(&bytes, at);
    }
}

#[test]
fn fields_that_a_shape_does_not_know_are_told_once_and_by_path() {
    let check = |json: &str, expected: &[&str]| {
        let shape = crate::schema::builtin("v1", "Pod").unwrap();
        assert_eq!(strange_fields(json.as_bytes(), shape).unknown, expected, "{json}");
    };
    check(
        r#"{"kind":"Pod","metadata":{"name":"a","labels":{"any":"thing"}}}"#,
        &[],
    );
    check(
        r#"{"spec":{"containers":[{"name":"a"},{"nam":"b","env":[{"nme":1}]}]}}"#,
        &["spec.containers[1].nam", "spec.containers[1].env[0].nme"],
    );
    check(
        r#"{"foo":{"bar":[{"spec":1}]},"spec":{"nodeName":"x","nodename":"y"}}"#,
        &["foo", "spec.nodename"],
    );
    check(
        r#"{"spec":{"volumes":[[1,{"a":2}],{"nope":3}]}}"#,
        &["spec.volumes[1].nope"],
    );
}
