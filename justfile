# `just check` is what CI runs.

check: format lint test

format:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --all-targets -- -D warnings

test:
    cargo test --workspace

# Licences and advisories, where cargo-deny is installed.
deny:
    cargo deny check

up *ARGS:
    cargo run --release -- up {{ARGS}}
