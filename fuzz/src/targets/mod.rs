//! The targets, each a function that takes any bytes.

mod bodies;
mod calls;
mod expressions;
mod patches;
mod requests;
mod selectors;

use coracle_api::ApiError;

/// One target.
pub struct Target {
    /// Also the folder of its seeds.
    pub name: &'static str,
    /// Panics where the product is wrong.
    pub run: fn(&[u8]),
    /// Inputs that the bounded run makes.
    pub short: usize,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "json",
        run: bodies::json,
        short: 50_000,
    },
    Target {
        name: "yaml",
        run: bodies::yaml,
        short: 50_000,
    },
    Target {
        name: "protobuf",
        run: bodies::protobuf,
        short: 50_000,
    },
    Target {
        name: "patches",
        run: patches::patches,
        short: 10_000,
    },
    Target {
        name: "selectors",
        run: selectors::selectors,
        short: 50_000,
    },
    Target {
        name: "paths",
        run: selectors::paths,
        short: 50_000,
    },
    Target {
        name: "expressions",
        run: expressions::expressions,
        short: 10_000,
    },
    Target {
        name: "schemas",
        run: expressions::schemas,
        short: 3_000,
    },
    Target {
        name: "requests",
        run: requests::requests,
        short: 4_000,
    },
    Target {
        name: "calls",
        run: calls::calls,
        short: 4_000,
    },
];

/// An error that a client can make something of.
fn is_status(error: &ApiError) {
    let code = error.code();
    assert!((400..600).contains(&code), "{code} is no failure: {error:?}");
    assert_ne!(code, 500, "what a client sent is no internal error: {error:?}");
}
