//! What running an expression may cost, and what can go wrong.

use kube_cel::cel::{ExecutionError, Value};

/// What one evaluation may cost, as upstream has it.
pub const CALL_BUDGET: u64 = 1_000_000;
/// What all rules of one object may cost together.
pub const OBJECT_BUDGET: u64 = 10_000_000;
/// Bytes of text that cost as much as one step.
pub(super) const BYTES_PER_STEP: u64 = 10;
/// Steps between two looks at the deadline.
const STEPS_PER_LOOK: u64 = 4_096;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// It cost more than it may.
    #[error("operation cancelled: actual cost limit exceeded")]
    Budget,
    /// The deadline passed.
    #[error("operation interrupted")]
    Deadline,
    /// As the language has it: `no such key: x`.
    #[error("{0}")]
    Failed(String),
}

impl EvalError {
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(super) fn no_overload() -> Self {
        Self::failed("no such overload")
    }

    /// Whether nothing else may run either.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Budget | Self::Deadline)
    }
}

impl From<ExecutionError> for EvalError {
    fn from(error: ExecutionError) -> Self {
        Self::Failed(match error {
            ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
            ExecutionError::NoSuchOverload
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::UnexpectedType { .. } => "no such overload".to_owned(),
            ExecutionError::Overflow(..) => "integer overflow".to_owned(),
            ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
            ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
            ExecutionError::FunctionError { message, .. } => message,
            other => other.to_string(),
        })
    }
}

/// What evaluations may still cost. One is shared by all rules of an object or all policies of a request.
pub struct Budget<'a> {
    left: u64,
    next_look: u64,
    is_late: Option<&'a dyn Fn() -> bool>,
    pub(super) host: Option<&'a dyn Host>,
}

/// Functions that are not of the language: the caller's own, such as the authorizer of admission policies.
pub trait Host {
    /// What a call of this function costs, beside one step.
    fn cost(&self, name: &str) -> u64;

    /// Calls a function; `None` where there is none for these values.
    fn call(&self, name: &str, target: Option<&Value>, arguments: &[Value]) -> Option<Result<Value, String>>;
}

impl<'a> Budget<'a> {
    /// So many steps.
    #[must_use]
    pub fn new(steps: u64) -> Self {
        Self {
            left: steps,
            next_look: steps.saturating_sub(STEPS_PER_LOOK),
            is_late: None,
            host: None,
        }
    }

    /// Also ends when `is_late` says so; asked every few thousand steps.
    #[must_use]
    pub fn with_deadline(self, is_late: &'a dyn Fn() -> bool) -> Self {
        Self {
            is_late: Some(is_late),
            ..self
        }
    }

    /// Also knows the host's functions.
    #[must_use]
    pub fn with_host(self, host: &'a dyn Host) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// Steps that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// A part of at most `steps`, for one evaluation; give it back to [`Budget::spend`].
    #[must_use]
    pub fn part(&self, steps: u64) -> Budget<'a> {
        let steps = steps.min(self.left);
        Self {
            left: steps,
            next_look: steps.saturating_sub(STEPS_PER_LOOK),
            is_late: self.is_late,
            host: self.host,
        }
    }

    /// Takes what a part of `steps` has used.
    pub fn spend(&mut self, steps: u64, part: &Budget<'_>) {
        let used = steps.min(self.left).saturating_sub(part.left);
        self.left = self.left.saturating_sub(used);
    }

    pub(super) fn charge(&mut self, steps: u64) -> Result<(), EvalError> {
        self.left = self.left.checked_sub(steps).ok_or(EvalError::Budget)?;
        if self.left <= self.next_look {
            self.next_look = self.left.saturating_sub(STEPS_PER_LOOK);
            if self.is_late.is_some_and(|is_late| is_late()) {
                return Err(EvalError::Deadline);
            }
        }
        Ok(())
    }

    pub(super) fn charge_text(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.charge(bytes as u64 / BYTES_PER_STEP + 1)
    }
}
