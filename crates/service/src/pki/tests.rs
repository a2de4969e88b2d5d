//! Tests of certificates and signing requests.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_certificate_is_due_when_it_ends_or_names_too_little() {
    let now = at("2026-11-23T12:00:00Z");
    let authority = Authority::create("test", now).unwrap();
    let subject = Subject {
        user: "system:node:node-3".to_owned(),
        groups: named(&["system:nodes"]),
        server_names: named(&["node-3", "172.18.0.7"]),
    };
    let kept = authority.issue(&subject, now).unwrap();
    assert!(!kept.is_due(&subject.server_names, now));
    assert!(!kept.is_due(&named(&["172.18.0.7"]), now));
    assert!(
        kept.is_due(&named(&["node-3", "172.18.0.9"]), now),
        "it moved to another address"
    );
    let later = now
        .checked_add(jiff::SignedDuration::from_hours(24 * 365 * 9))
        .unwrap();
    assert!(kept.is_due(&subject.server_names, later));
    let unreadable = Credentials {
        certificate_pem: "nonsense".to_owned(),
        ..kept
    };
    assert!(unreadable.is_due(&[], now));
}

#[test]
fn a_certificate_without_names_serves_whoever_needs_none() {
    let now = at("2026-11-23T12:00:00Z");
    let subject = Subject {
        user: "kubernetes-admin".to_owned(),
        groups: Vec::new(),
        server_names: Vec::new(),
    };
    let kept = Authority::create("test", now)
        .unwrap()
        .issue(&subject, now)
        .unwrap();
    assert!(!kept.is_due(&[], now));
    assert!(kept.is_due(&named(&["localhost"]), now));
}
