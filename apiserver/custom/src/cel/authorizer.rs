//! The `authorizer` library: expressions that ask whether somebody may do something.
//!
//! A question is put together step by step (`authorizer.group('apps').resource('deployments').check('get')`) and asked
//! of an [`Authorizer`] at its end. Who may do what is the authorizer's business; here is what the steps are called,
//! what they take, and what they cost. Not there: `fieldSelector` and `labelSelector`.
//!
//! Source: the authorizer library of the Kubernetes apiserver library.

use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::Opaque;

use super::budget::Host;
use super::{Environment, Type};

/// The name of the variable.
pub const AUTHORIZER: &str = "authorizer";
/// The variable that already asks about what is requested.
pub const REQUEST_RESOURCE: &str = "authorizer.requestResource";

const WHO: &str = "kubernetes.authorization.Authorizer";
const PATH: &str = "kubernetes.authorization.PathCheck";
const GROUP: &str = "kubernetes.authorization.GroupCheck";
const RESOURCE: &str = "kubernetes.authorization.ResourceCheck";
const DECISION: &str = "kubernetes.authorization.Decision";

/// What one question costs, as upstream has it.
const CHECK_COST: u64 = 350_000;
/// How many bytes a decision's reason may have; what is longer is cut off.
const MAX_REASON: usize = 4_096;

/// Decides; see the module.
pub trait Authorizer {
    /// Whether it may be done, and what is to be said about that.
    fn decide(&self, question: &Question) -> (bool, String);
}

/// What an expression asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Namespace and name of the service account that is meant; else it is the caller.
    pub service_account: Option<(String, String)>,
    /// `get`, `create`; for paths the HTTP method in lower case.
    pub verb: String,
    /// What it is about.
    pub about: About,
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A path that is no object.
    Path(String),
    /// Objects; empty texts mean "none", as in a request.
    #[allow(missing_docs, reason = "the names are the API's own")]
    Resource {
        group: String,
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    },
}

impl Default for About {
    fn default() -> Self {
        Self::Resource {
            group: String::new(),
            resource: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
        }
    }
}

/// A question on its way, or its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Who(Question),
    Group(Question),
    Check(Question),
    Path(Question),
    Decision { is_allowed: bool, reason: String },
}

impl Opaque for Step {
    fn runtime_type_name(&self) -> &str {
        match self {
            Self::Who(_) => WHO,
            Self::Group(_) => GROUP,
            Self::Check(_) => RESOURCE,
            Self::Path(_) => PATH,
            Self::Decision { .. } => DECISION,
        }
    }
}

/// An environment with the library.
#[must_use]
pub fn declare(environment: Environment<'_>) -> Environment<'_> {
    const STEPS: [(&str, &str, usize, Type<'static>); 13] = [
        ("path", WHO, 1, Type::Named(PATH)),
        ("check", PATH, 1, Type::Named(DECISION)),
        ("group", WHO, 1, Type::Named(GROUP)),
        ("serviceAccount", WHO, 2, Type::Named(WHO)),
        ("resource", GROUP, 1, Type::Named(RESOURCE)),
        ("subresource", RESOURCE, 1, Type::Named(RESOURCE)),
        ("namespace", RESOURCE, 1, Type::Named(RESOURCE)),
        ("name", RESOURCE, 1, Type::Named(RESOURCE)),
        ("check", RESOURCE, 1, Type::Named(DECISION)),
        ("allowed", DECISION, 0, Type::Bool),
        ("reason", DECISION, 0, Type::String(MAX_REASON as u64)),
        ("errored", DECISION, 0, Type::Bool),
        ("error", DECISION, 0, Type::String(MAX_REASON as u64)),
    ];
    let environment = environment
        .variable(AUTHORIZER, Type::Named(WHO))
        .variable(REQUEST_RESOURCE, Type::Named(RESOURCE));
    STEPS
        .into_iter()
        .fold(environment, |environment, (name, of, arguments, result)| {
            environment.method(name, of, arguments, result)
        })
}

/// The value of [`AUTHORIZER`].
#[must_use]
pub fn caller() -> Value {
    Value::Opaque(Arc::new(Step::Who(Question::default())))
}

/// The value of [`REQUEST_RESOURCE`].
#[must_use]
pub fn requested(about: About) -> Value {
    let question = Question {
        about,
        ..Question::default()
    };
    Value::Opaque(Arc::new(Step::Check(question)))
}

/// The library's functions, with whom to ask.
pub struct Library<'a>(pub &'a dyn Authorizer);

impl Host for Library<'_> {
    fn cost(&self, name: &str) -> u64 {
        if name == "check" { CHECK_COST } else { 1 }
    }

    fn call(&self, name: &str, target: Option<&Value>, arguments: &[Value]) -> Option<Result<Value, String>> {
        let Some(Value::Opaque(target)) = target else {
            return None;
        };
        let step = target.downcast_ref::<Step>()?;
        let texts: Option<Vec<&str>> = arguments.iter().map(as_text).collect();
        let next = match step.take(name, &texts?)? {
            Next::Step(step) => Value::Opaque(Arc::new(step)),
            Next::Ask(question) => {
                let (is_allowed, mut reason) = self.0.decide(&question);
                reason.truncate(reason.floor_char_boundary(MAX_REASON));
                Value::Opaque(Arc::new(Step::Decision { is_allowed, reason }))
            }
            Next::Value(value) => value,
            Next::Refused(why) => return Some(Err(why)),
        };
        Some(Ok(next))
    }
}

/// What a step leads to.
enum Next {
    Step(Step),
    Ask(Question),
    Value(Value),
    Refused(String),
}

impl Step {
    /// Takes a step; `None` where there is none of this name here.
    fn take(&self, name: &str, texts: &[&str]) -> Option<Next> {
        let about = |question: &Question, change: &dyn Fn(&mut About)| {
            let mut question = question.clone();
            change(&mut question.about);
            question
        };
        let with_verb = |question: &Question, verb: &str| Question {
            verb: verb.to_owned(),
            ..question.clone()
        };
        Some(match (self, name, texts) {
            (Self::Who(question), "path", [path]) => {
                if path.is_empty() {
                    return Some(Next::Refused("path must not be empty".to_owned()));
                }
                Next::Step(Self::Path(about(question, &|own| {
                    *own = About::Path((*path).to_owned())
                })))
            }
            (Self::Who(question), "serviceAccount", [namespace, name]) => {
                if question.service_account.is_some() || namespace.is_empty() || name.is_empty() {
                    let why = format!("Invalid service account {namespace:?} / {name:?}");
                    return Some(Next::Refused(why));
                }
                Next::Step(Self::Who(Question {
                    service_account: Some(((*namespace).to_owned(), (*name).to_owned())),
                    ..question.clone()
                }))
            }
            (Self::Who(question), "group", [text]) => {
                Next::Step(Self::Group(about(question, &|own| own.set("group", text))))
            }
            (Self::Group(question), "resource", [text]) => {
                Next::Step(Self::Check(about(question, &|own| own.set("resource", text))))
            }
            (Self::Check(question), "subresource" | "namespace" | "name", [text]) => {
                Next::Step(Self::Check(about(question, &|own| own.set(name, text))))
            }
            (Self::Check(question) | Self::Path(question), "check", [verb]) => {
                Next::Ask(with_verb(question, verb))
            }
            (Self::Decision { is_allowed, .. }, "allowed", []) => Next::Value(Value::Bool(*is_allowed)),
            (Self::Decision { reason, .. }, "reason", []) => {
                Next::Value(Value::String(Arc::new(reason.clone())))
            }
            // The authorizer always has an answer.
            (Self::Decision { .. }, "errored", []) => Next::Value(Value::Bool(false)),
            (Self::Decision { .. }, "error", []) => Next::Value(Value::String(Arc::default())),
            _ => return None,
        })
    }
}

impl About {
    fn set(&mut self, field: &str, text: &str) {
        let Self::Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
        } = self
        else {
            return;
        };
        let place = match field {
            "group" => group,
            "resource" => resource,
            "subresource" => subresource,
            "namespace" => namespace,
            _ => name,
        };
        text.clone_into(place);
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
