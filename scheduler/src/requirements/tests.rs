//! Tests of `requirements`.

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let mut labels: Vec<Label> = pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    labels.sort();
    labels
}

fn expression(key: &str, operator: Operator, values: &[&str]) -> Expression {
    Expression {
        key: key.into(),
        operator,
        values: values.iter().map(|value| (*value).into()).collect(),
    }
}

#[test]
fn expressions_follow_the_reference() {
    let check = |operator, values: &[&str], value, expected| {
        assert_eq!(
            expression("k", operator, values).matches(value),
            expected,
            "{operator:?} {values:?} {value:?}"
        );
    };
    check(Operator::In, &["a", "b"], Some("b"), true);
    check(Operator::In, &["a", "b"], Some("c"), false);
    check(Operator::In, &["a"], None, false);
    check(Operator::NotIn, &["a"], Some("a"), false);
    check(Operator::NotIn, &["a"], Some("b"), true);
    check(Operator::NotIn, &["a"], None, true);
    check(Operator::Exists, &[], Some(""), true);
    check(Operator::Exists, &[], None, false);
    check(Operator::DoesNotExist, &[], None, true);
    check(Operator::DoesNotExist, &[], Some("a"), false);
    check(Operator::Gt, &["4"], Some("5"), true);
    check(Operator::Gt, &["4"], Some("4"), false);
    check(Operator::Gt, &["4"], Some("many"), false);
    check(Operator::Lt, &["4"], Some("3"), true);
    check(Operator::Lt, &["4"], None, false);
}

#[test]
fn a_term_needs_all_its_requirements_and_at_least_one() {
    let labels = labels(&[("disk", "ssd"), ("zone", "a")]);
    let term = |expressions: &[Expression], fields: &[Expression]| NodeSelectorTerm {
        expressions: expressions.into(),
        fields: fields.into(),
    };
    let ssd = expression("disk", Operator::In, &["ssd"]);
    let zone_b = expression("zone", Operator::In, &["b"]);
    let named = |name| expression("metadata.name", Operator::In, &[name]);
    assert!(term(std::slice::from_ref(&ssd), &[]).matches("n1", &labels));
    assert!(!term(&[ssd.clone(), zone_b], &[]).matches("n1", &labels));
    assert!(term(std::slice::from_ref(&ssd), &[named("n1")]).matches("n1", &labels));
    assert!(!term(&[ssd], &[named("n2")]).matches("n1", &labels));
    assert!(!NodeSelectorTerm::default().matches("n1", &labels));
}

#[test]
fn tolerations_follow_the_reference() {
    let taint = Taint {
        key: "dedicated".into(),
        value: "db".into(),
        effect: Effect::NoSchedule,
    };
    let check = |key: &str, value: Option<&str>, effect, expected| {
        let toleration = Toleration {
            key: key.into(),
            value: value.map(Into::into),
            effect,
        };
        assert_eq!(toleration.tolerates(&taint), expected, "{toleration:?}");
    };
    check("dedicated", Some("db"), Some(Effect::NoSchedule), true);
    check("dedicated", Some("db"), None, true);
    check("dedicated", Some("web"), None, false);
    check("dedicated", None, None, true);
    check("", None, None, true);
    check("other", None, None, false);
    check("dedicated", None, Some(Effect::NoExecute), false);
}

#[test]
fn host_ports_conflict_where_their_addresses_overlap() {
    let port = |ip: &str, protocol: &str| HostPort {
        port: 80,
        protocol: protocol.into(),
        ip: ip.into(),
    };
    assert!(port("", "TCP").conflicts_with(&port("10.0.0.1", "TCP")));
    assert!(port("0.0.0.0", "TCP").conflicts_with(&port("10.0.0.1", "TCP")));
    assert!(port("10.0.0.1", "TCP").conflicts_with(&port("10.0.0.1", "TCP")));
    assert!(!port("10.0.0.1", "TCP").conflicts_with(&port("10.0.0.2", "TCP")));
    assert!(!port("", "TCP").conflicts_with(&port("", "UDP")));
}
