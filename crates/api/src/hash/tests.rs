//! Tests of `hash`.

use super::*;
use crate::object::typed;
use k8s_openapi::api::apps::v1::Deployment;

fn template(image: &str) -> PodTemplateSpec {
    let json = format!(
        r#"{{"spec":{{"selector":{{}},"template":{{"metadata":{{"labels":{{"b":"1","a":"2"}}}},"spec":{{"containers":[{{"name":"c","image":"{image}"}}]}}}}}}}}"#
    );
    typed::<Deployment>(json.as_bytes())
        .unwrap()
        .spec
        .unwrap()
        .template
}

#[test]
fn equal_templates_hash_alike_and_others_do_not() {
    let one = pod_template_hash(&template("nginx:1.14.2"), None);
    assert_eq!(one, pod_template_hash(&template("nginx:1.14.2"), None));
    assert_ne!(one, pod_template_hash(&template("nginx:1.16.1"), None));
    assert_ne!(one, pod_template_hash(&template("nginx:1.14.2"), Some(1)));
    assert!(
        (1..=10).contains(&one.len()) && one.bytes().all(|byte| SAFE_ALPHABET.contains(&byte)),
        "{one}"
    );
}

#[test]
fn the_hash_never_changes() {
    // Changing this value renames every ReplicaSet of a running cluster.
    assert_eq!(safe_encode("0123456789"), "456789bcdf");
    assert_eq!(fnv1a(FNV_OFFSET, b"foobar"), 0xbf9c_f968);
    insta::assert_snapshot!(pod_template_hash(&template("nginx:1.14.2"), None), @"dd47f95bf");
}
