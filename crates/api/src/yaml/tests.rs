//! Tests of `yaml`.

use serde_json::json;

use super::*;

#[test]
fn documents_come_in_order_and_lists_count_as_their_items() {
    let text = "# a comment\n---\nkind: A\n---\n---\napiVersion: v1\nkind: List\nitems:\n- kind: B\n- kind: PodList\n  items: [{kind: C}]\n---\n{\"kind\": \"D\", \"n\": [1, 1.5, true, null, \"x\"]}\n";
    let kinds: Vec<Value> = documents(text)
        .unwrap()
        .iter()
        .map(|value| value["kind"].clone())
        .collect();
    assert_eq!(kinds, ["A", "B", "C", "D"]);
}

#[test]
fn scalars_keep_their_types() {
    let text = "a: 1\nb: \"1\"\nc: 1.5\nd: true\ne: null\nf: |\n  two\n  lines\ng: 0777\nh: 1e3\ni: 2026-11-22\nj: &x [1]\nk: *x\n";
    let value = document(text).unwrap();
    assert_eq!(value["a"], json!(1));
    assert_eq!(value["b"], json!("1"));
    assert_eq!(value["c"], json!(1.5));
    assert_eq!(value["d"], json!(true));
    assert_eq!(value["e"], Value::Null);
    assert_eq!(value["f"], json!("two\nlines\n"));
    assert_eq!(value["i"], json!("2026-11-22"));
    assert_eq!(value["k"], json!([1]));
}

#[test]
fn broken_text_is_refused_with_its_line() {
    let error = documents("kind: A\nmetadata:\n  name: [a, b\n---\nkind: B\n").unwrap_err();
    assert!(error.line >= 3, "{error}");
    assert!(error.to_string().starts_with("read manifest at line "), "{error}");
    for text in ["kind: {", "a: b: c", "- x", "text", "a:\n\tb: 1", "a: 1\na: 2"] {
        assert!(documents(text).is_err(), "{text:?}");
    }
    assert!(document("a: 1\n---\nb: 2\n").is_err());
    assert!(document("").is_err());
}

#[test]
fn a_small_text_cannot_become_a_large_value() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(documents(&text).is_err());
    assert!(documents(&format!("a: {}", "[".repeat(10_000))).is_err());
    assert!(documents(&"x".repeat(MANIFEST_MAX_BYTES + 1)).is_err());
}
