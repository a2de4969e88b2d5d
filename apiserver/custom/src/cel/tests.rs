//! Expressions: what they mean, what is refused when they are compiled, and how their cost is bounded.

mod extensions;

use super::*;
use serde_json::json;

fn bound(name: &str) -> Option<Value> {
    let object = json!({
        "spec": {"replicas": 3, "name": "web", "tags": ["a", "b", "c"], "ratio": 0.5, "limits": {"cpu": "1", "x-y": "2"}},
    });
    (name == "self").then(|| from_json(object.get("spec").unwrap()))
}

fn run(text: &str) -> String {
    let environment = Environment::new().variable("self", Type::Dyn);
    let program = match Program::compile(text, &environment, Wanted::Any) {
        Ok(program) => program,
        Err(error) => return format!("compile: {error}"),
    };
    match program.eval(&bound, &mut Budget::new(CALL_BUDGET)) {
        Ok(value) => to_json(&value).map_or_else(|| format!("{value:?}"), |json| json.to_string()),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_language() {
    let check = |text: &str, expected: &str| assert_eq!(run(text), expected, "{text}");
    check("self.replicas > 2 && self.name == 'web'", "true");
    check("self.replicas + 1", "4");
    check("self.missing == 1", "error: no such key: missing");
    check("has(self.missing)", "false");
    check("has(self.missing) && self.missing > 1", "false");
    check("self.missing > 1 || true", "true");
    check("true || self.missing > 1", "true");
    check("self.tags.all(t, t.size() == 1)", "true");
    check("self.tags.exists(t, t == 'b')", "true");
    check("self.tags.exists_one(t, t > 'b')", "true");
    check("self.tags.map(t, t + t)", r#"["aa","bb","cc"]"#);
    check("self.tags.filter(t, t != 'b')", r#"["a","c"]"#);
    check("self.tags.map(t, t != 'a', t + '!')", r#"["b!","c!"]"#);
    check("self.limits.all(k, k.startsWith('c') || k == 'x-y')", "true");
    check("self.limits['x-y']", r#""2""#);
    check(
        "'cpu' in self.limits && 'a' in self.tags && !('z' in self.tags)",
        "true",
    );
    check("self.tags[1]", r#""b""#);
    check("self.tags[7]", "error: index out of bounds: 7");
    check("size(self.tags) == 3 ? 'three' : 'other'", r#""three""#);
    check("1 / 0", "error: division by zero");
    check("9223372036854775807 + 1", "error: integer overflow");
    check("self.name.matches('^w[a-z]+$')", "true");
    check("'a.b.c'.split('.')", r#"["a","b","c"]"#);
    check("['b', 'a'].isSorted()", "false");
    check("[1, 2, 3].sum()", "6");
    check("quantity('1Gi').isGreaterThan(quantity('500Mi'))", "true");
    check("duration('90s') > duration('1m')", "true");
    check(
        "timestamp('2026-01-02T03:04:05Z') < timestamp('2027-01-02T03:04:05Z')",
        "true",
    );
    check(
        "isURL('https://a.example/x') && url('https://a.example/x').getHost() == 'a.example'",
        "true",
    );
    check(
        "isIP('10.0.0.1') && cidr('10.0.0.0/8').containsIP('10.0.0.1')",
        "true",
    );
    check("sets.contains([1, 2, 3], [1, 2])", "true");
    check("math.greatest(1, 5, 3)", "5");
    check("'%s has %d'.format([self.name, self.replicas])", r#""web has 3""#);
    check("self.?missing.orValue('none')", r#""none""#);
    check("self.?name.orValue('none')", r#""web""#);
    check("self.?missing.hasValue()", "false");
    check(
        "string(5) + int('6') == '56'",
        "compile: found no matching overload for '_+_' applied to '(string, int)'",
    );
    check("type(self.name) == string", "true");
    check("'äö'.size()", "2");
    check("self.ratio < 1.0", "true");
    check("{'a': 1}.a", "1");
    check("'abc'.substring(1)", r#""bc""#);
    check("'abc'.lowerAscii().contains('b')", "true");
    check("-self.replicas", "-3");
}

#[test]
fn what_does_not_compile() {
    let check = |text: &str, expected: &str| {
        let outcome = run(text);
        assert!(
            outcome.starts_with(&format!("compile: {expected}")),
            "{text}: {outcome}"
        );
    };
    check("other == 1", "undeclared reference to 'other' (in container '')");
    check(
        "self.name.frobnicate()",
        "undeclared reference to 'frobnicate' (in container '')",
    );
    check("1 +", "ERROR: <input>:1:4:");
    check(
        "'a' && true",
        "found no matching overload for '_&&_' applied to '(string, bool)'",
    );
    check("'a'.matches('[')", "error parsing regexp");
    check("1.all(x, true)", "");
    check("Foo{a: 1}", "message literals are not supported");
    check(&"(".repeat(5_000), "expression is nested too deeply");
    check(
        &format!("'{}'", "a".repeat(MAX_EXPRESSION)),
        "expression is too long",
    );
}

#[test]
fn the_budget_ends_what_would_go_on() {
    let environment = Environment::new().variable("self", Type::Dyn);
    let list: Vec<Value> = (0..2_000).map(Value::Int).collect();
    let list = Value::List(std::sync::Arc::new(list));
    let bound = |_: &str| Some(list.clone());
    let run = |text: &str| {
        let program = Program::compile(text, &environment, Wanted::Any).unwrap();
        program.eval(&bound, &mut Budget::new(CALL_BUDGET))
    };
    assert_eq!(
        run("self.all(x, self.all(y, x + y >= 0))"),
        Err(EvalError::Budget)
    );
    assert_eq!(
        run("self.map(x, x + 1).filter(x, x % 2 == 0).size()"),
        Ok(Value::Int(1_000))
    );
    assert_eq!(
        run("self.map(x, self).map(x, x + x + x).size()"),
        Err(EvalError::Budget)
    );
    assert_eq!(
        run("self.exists(x, self.exists(y, x + y < 0)) || true"),
        Err(EvalError::Budget)
    );
    let program = Program::compile("self.all(x, self.all(y, true))", &environment, Wanted::Bool).unwrap();
    let is_late = || true;
    let outcome = program.eval(&bound, &mut Budget::new(u64::MAX).with_deadline(&is_late));
    assert_eq!(outcome, Err(EvalError::Deadline));
}

#[test]
fn names_are_escaped() {
    let check = |name: &str, expected: &str| assert_eq!(escape(name), expected);
    check("name", "name");
    check("x-y", "x__dash__y");
    check("a.b/c", "a__dot__b__slash__c");
    check("a__b", "a__underscores__b");
    check("a_b", "a_b");
    check("namespace", "__namespace__");
}

#[test]
fn a_host_adds_functions() {
    struct Seven;
    impl Host for Seven {
        fn cost(&self, _: &str) -> u64 {
            20
        }

        fn call(&self, name: &str, _: Option<&Value>, _: &[Value]) -> Option<Result<Value, String>> {
            (name == "seven").then_some(Ok(Value::Int(7)))
        }
    }
    let environment =
        Environment::new()
            .variable("self", Type::Named("Dwarf"))
            .method("seven", "Dwarf", 0, Type::Int);
    let program = Program::compile("self.seven() + 1 == 8", &environment, Wanted::Bool).unwrap();
    let mut budget = Budget::new(100).with_host(&Seven);
    let bound = |_: &str| Some(Value::Null);
    assert_eq!(program.eval(&bound, &mut budget), Ok(Value::Bool(true)));
    assert!(program.estimated_cost() > 0);
    assert!(budget.left() < 80);
}

#[test]
fn names_are_bound_by_macros() {
    let check = |text: &str, expected: &str| assert_eq!(run(text), expected, "{text}");
    check("cel.bind(n, self.replicas * 2, n + n)", "12");
    check("cel.bind(a, 1, cel.bind(b, a + 1, a + b))", "3");
    check(
        "self.tags.map(t, cel.bind(u, t + '!', u + u))",
        r#"["a!a!","b!b!","c!c!"]"#,
    );
    check("self.?name.optMap(n, n + '!').orValue('none')", r#""web!""#);
    check("self.?missing.optMap(n, n + '!').orValue('none')", r#""none""#);
    check("self.?limits.optFlatMap(l, l[?'cpu']).orValue('0')", r#""1""#);
    check("self.?limits.optFlatMap(l, l[?'gpu']).orValue('0')", r#""0""#);
    check(
        "self.?name.optMap(n, self.?missing.optMap(m, m).orValue(n)).value()",
        r#""web""#,
    );
    check(
        "cel.bind(1 + 1, 2, 3)",
        "compile: cel.bind() variable name must be a simple identifier",
    );
    check(
        "cel.bind(n, 1, m)",
        "compile: undeclared reference to 'm' (in container '')",
    );
}
