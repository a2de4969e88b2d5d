//! Policies that ask the authorizer.

use coracle_auth::{Attributes as Asked, Decision, Ground, Target};

use super::*;

/// Lets the anonymous touch `web`, and a robot everything.
struct Somebody;

impl Access for Somebody {
    fn decide(&self, asked: &Asked<'_>) -> Decision {
        let is_robot = asked.user.user == "system:serviceaccount:default:robot"
            && asked
                .user
                .groups
                .iter()
                .any(|group| group == "system:serviceaccounts:default");
        let what = match asked.target {
            Target::Path(path) => path.to_owned(),
            Target::Resource(own) => format!("{}/{}/{}/{}", own.group, own.resource, own.namespace, own.name),
        };
        if is_robot || what == "apps/deployments/default/x" && asked.verb == "touch" {
            Decision::Allowed(Ground::Masters)
        } else {
            Decision::Denied(format!("{} may not {} {what}", asked.user.user, asked.verb))
        }
    }
}

#[test]
fn policies_ask_who_may_do_what() {
    let access: Arc<dyn Access> = Arc::new(Somebody);
    let check = |expression: &str, expected: &str| {
        let spec = json!({"validations": [{
            "expression": expression,
            "messageExpression": "authorizer.path('/x').check('get').reason()",
        }]});
        let found = match judge_with(spec, json!({"validationActions": ["Deny"]}), 1, &access) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.message().to_owned(),
        };
        assert!(found.ends_with(expected), "{expression}: {found}");
    };
    check("authorizer.requestResource.check('touch').allowed()", "ok");
    let refused = "denied request: system:anonymous may not get /x";
    check("authorizer.requestResource.check('delete').allowed()", refused);
    check(
        "authorizer.group('apps').resource('deployments').namespace(object.metadata.namespace).name('x').check('touch').allowed()",
        "ok",
    );
    check(
        "authorizer.group('apps').resource('deployments').namespace('other').check('touch').allowed()",
        refused,
    );
    check(
        "authorizer.serviceAccount('default', 'robot').path('/x').check('get').allowed()",
        "ok",
    );
    check("!authorizer.path('/x').check('get').errored()", "ok");
}

#[test]
fn what_is_no_question_fails_as_the_policy_says() {
    let expression = "authorizer.group('apps').check('get').allowed()";
    let judged = |policy: &str| {
        let spec = json!({"failurePolicy": policy, "validations": [{"expression": expression}]});
        refusal(spec, json!({"validationActions": ["Deny"]}), 1)
    };
    assert!(
        judged("Fail").contains("found no matching overload for 'check'"),
        "{}",
        judged("Fail")
    );
    assert_eq!(judged("Ignore"), "ok []");
}
