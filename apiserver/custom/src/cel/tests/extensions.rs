//! Macros of two variables and the authorizer library.

use super::super::authorizer::{About, Authorizer, Library, Question, caller, declare, requested};
use super::super::*;
use super::run;

#[test]
fn macros_of_two_variables() {
    let check = |text: &str, expected: &str| assert_eq!(run(text), expected, "{text}");
    check("self.tags.all(i, t, i < 3 && t >= 'a')", "true");
    check("self.tags.all(i, t, i > 0)", "false");
    check("self.limits.all(k, v, k == 'cpu' ? v == '1' : v == '2')", "true");
    check("self.tags.exists(i, t, i == 2 && t == 'c')", "true");
    check("self.limits.exists(k, v, k == 'cpu' && v == '2')", "false");
    check("self.tags.existsOne(i, t, t == 'b')", "true");
    check("self.tags.exists_one(i, t, i < 2)", "false");
    check(
        "self.tags.transformList(i, t, t + string(i))",
        r#"["a0","b1","c2"]"#,
    );
    check("self.tags.transformList(i, t, i != 1, t)", r#"["a","c"]"#);
    check(
        "self.limits.transformMap(k, v, v + v)",
        r#"{"cpu":"11","x-y":"22"}"#,
    );
    check("self.limits.transformMap(k, v, k != 'cpu', v)", r#"{"x-y":"2"}"#);
    check(
        "self.limits.transformMapEntry(k, v, {v: k})",
        r#"{"1":"cpu","2":"x-y"}"#,
    );
    check(
        "self.tags.transformMapEntry(i, t, i > 0, {t: i})",
        r#"{"b":1,"c":2}"#,
    );
    check(
        "self.tags.transformMapEntry(i, t, {'same': t})",
        "error: insert failed: key same already exists",
    );
    // One side may fail where another decides, and names of an inner loop hide those of an outer one.
    check("self.tags.exists(i, t, self.tags[i + 1] == 'c')", "true");
    check("self.tags.all(i, t, self.tags.exists(i, u, u == t))", "true");
    check("self.tags.all(i, t, i)", "error: no such overload");
    check(
        "[1].all(i, x, i + x)",
        "compile: found no matching overload for 'all' applied to '(int)'",
    );
    check("self.tags.all(i, i, true)", "compile: duplicate variable name: i");
    check(
        "self.tags.all(i, t, t == u)",
        "compile: undeclared reference to 'u' (in container '')",
    );
    check(
        "self.tags.transformList(1, t, t)",
        "compile: transformList() variable name must be a simple identifier",
    );
}

#[test]
fn loops_of_two_variables_end_with_their_budget() {
    let environment = Environment::new().variable("self", Type::Dyn);
    let list: Vec<Value> = (0..2_000).map(Value::Int).collect();
    let list = Value::List(std::sync::Arc::new(list));
    let run = |text: &str| {
        let program = Program::compile(text, &environment, Wanted::Any).unwrap();
        program.eval(&|_| Some(list.clone()), &mut Budget::new(CALL_BUDGET))
    };
    assert_eq!(run("self.transformMap(i, v, v).size()"), Ok(Value::Int(2_000)));
    for endless in [
        "self.all(i, v, self.all(j, w, i + w >= 0))",
        "self.transformList(i, v, self.transformList(j, w, w)).size()",
        "self.transformMap(i, v, self.transformMap(j, w, w)).size()",
    ] {
        assert_eq!(run(endless), Err(EvalError::Budget), "{endless}");
    }
    // Only loops over what has a bound are cheap.
    let cost = |text: &str| {
        Program::compile(text, &environment, Wanted::Any)
            .unwrap()
            .estimated_cost()
    };
    assert!(cost("[1, 2].all(i, v, true)") < 100);
    assert!(cost("self.all(i, v, true)") >= 1_000);
}

/// Allows reading, and says what was asked.
struct Reading;

impl Authorizer for Reading {
    fn decide(&self, question: &Question) -> (bool, String) {
        let who = question.service_account.as_ref();
        let who = who.map_or("caller".to_owned(), |(namespace, name)| {
            format!("{namespace}/{name}")
        });
        let about = match &question.about {
            About::Path(path) => path.clone(),
            About::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            } => format!("{group}|{resource}|{subresource}|{namespace}|{name}"),
        };
        (question.verb == "get", format!("{who} {} {about}", question.verb))
    }
}

fn ask(text: &str) -> String {
    let environment = declare(Environment::new().variable("object", Type::Dyn));
    let program = match Program::compile(text, &environment, Wanted::Any) {
        Ok(program) => program,
        Err(error) => return format!("compile: {error}"),
    };
    let about = About::Resource {
        group: "apps".to_owned(),
        resource: "deployments".to_owned(),
        subresource: String::new(),
        namespace: "n".to_owned(),
        name: "web".to_owned(),
    };
    let bound = |name: &str| match name {
        "authorizer" => Some(caller()),
        "authorizer.requestResource" => Some(requested(about.clone())),
        _ => Some(text_value()),
    };
    let mut budget = Budget::new(CALL_BUDGET).with_host(&Library(&Reading));
    match program.eval(&bound, &mut budget) {
        Ok(value) => to_json(&value).map_or_else(|| format!("{value:?}"), |json| json.to_string()),
        Err(error) => format!("error: {error}"),
    }
}

fn text_value() -> Value {
    from_json(&serde_json::json!({"verb": "get", "tags": ["a"]}))
}

#[test]
fn authorizers_are_asked_step_by_step() {
    let check = |text: &str, expected: &str| assert_eq!(ask(text), expected, "{text}");
    check(
        "authorizer.group('').resource('pods').check('get').allowed()",
        "true",
    );
    check(
        "authorizer.group('').resource('pods').check('delete').allowed()",
        "false",
    );
    check(
        "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('web').check('get').reason()",
        r#""caller get apps|deployments|scale|n|web""#,
    );
    check(
        "authorizer.serviceAccount('n', 'robot').path('/healthz').check('post').reason()",
        r#""n/robot post /healthz""#,
    );
    check(
        "authorizer.requestResource.check(object.verb).reason()",
        r#""caller get apps|deployments||n|web""#,
    );
    check(
        "authorizer.requestResource.subresource('scale').check('update').reason()",
        r#""caller update apps|deployments|scale|n|web""#,
    );
    check("authorizer.path('/x').check('get').errored()", "false");
    check("authorizer.path('/x').check('get').error()", r#""""#);
    check("[authorizer].all(a, a.path('/x').check('get').allowed())", "true");
    check("object.tags.all(t, t.size() == 1)", "true");
    check("authorizer.path('')", "error: path must not be empty");
    check(
        "authorizer.serviceAccount('', 'x').path('/')",
        "error: Invalid service account \"\" / \"x\"",
    );
}

#[test]
fn questions_that_are_none_are_refused() {
    let check = |text: &str, expected: &str| assert_eq!(ask(text), format!("compile: {expected}"), "{text}");
    check(
        "authorizer.check('get')",
        "found no matching overload for 'check' applied to '(kubernetes.authorization.Authorizer, string)'",
    );
    check(
        "authorizer.group('').check('get')",
        "found no matching overload for 'check' applied to '(kubernetes.authorization.GroupCheck, string)'",
    );
    check(
        "authorizer.group(1)",
        "found no matching overload for 'group' applied to '(kubernetes.authorization.Authorizer, int)'",
    );
    check(
        "authorizer.groups('')",
        "undeclared reference to 'groups' (in container '')",
    );
    check("allowed()", "undeclared reference to 'allowed' (in container '')");
}

#[test]
fn questions_are_dear() {
    let three = "authorizer.path('/a').check('get').allowed() && authorizer.path('/b').check('get').allowed() \
                 && authorizer.path('/c').check('get').allowed()";
    assert_eq!(
        ask(three),
        "error: operation cancelled: actual cost limit exceeded"
    );
}
