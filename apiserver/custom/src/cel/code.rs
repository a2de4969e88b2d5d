//! An expression ready to run: names looked up, operators told apart, constants and patterns made.

use kube_cel::cel::Value;
use regex::Regex;

/// One expression.
#[derive(Debug, Clone)]
pub(super) enum Code {
    Constant(Value),
    /// A variable by its place on the stack of names: inner loops are found from the end.
    Variable(Box<str>),
    /// A field; an error where it is missing.
    Field(Box<Code>, Box<str>),
    /// Whether there is such a field.
    Has(Box<Code>, Box<str>),
    /// A field as an optional.
    OptionalField(Box<Code>, Box<str>),
    Index(Box<Code>, Box<Code>),
    OptionalIndex(Box<Code>, Box<Code>),
    And(Box<Code>, Box<Code>),
    Or(Box<Code>, Box<Code>),
    Not(Box<Code>),
    Negate(Box<Code>),
    If(Box<Code>, Box<Code>, Box<Code>),
    /// True unless it is false: what loops of `all` go on by.
    NotFalse(Box<Code>),
    Compare(Comparison, Box<Code>, Box<Code>),
    Arithmetic(Arithmetic, Box<Code>, Box<Code>),
    In(Box<Code>, Box<Code>),
    List(Vec<(Code, bool)>),
    Map(Vec<(Code, Code, bool)>),
    Loop(Box<Loop>),
    /// As a loop's step: adds a key and a value to the map that the loop makes.
    Insert(Box<Code>, Box<Code>),
    /// As a loop's step: adds all of a map.
    InsertAll(Box<Code>),
    /// Text against a pattern that is known beforehand.
    Matches(Box<Code>, Regex),
    Call(Box<Call>),
}

/// A call of a function of a library.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// As the library knows it, its name space included: `math.greatest`.
    pub name: Box<str>,
    /// What it is called on.
    pub target: Option<Code>,
    pub arguments: Vec<Code>,
    /// Whether it may be a function of the [`super::Host`].
    pub is_hosts: bool,
}

/// What macros become: a fold over a list or the keys of a map. With a second name it sees places or keys under the
/// first, and values under the second.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub range: Code,
    pub item: Box<str>,
    pub second: Option<Box<str>>,
    pub result_name: Box<str>,
    pub start: Code,
    pub condition: Code,
    pub step: Code,
    pub result: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
