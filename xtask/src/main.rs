//! Chores of the project that are run by hand: `cargo run -p xtask -- schema` makes the table of types anew.

mod schema;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("schema") => schema::generate(),
        _ => anyhow::bail!("name a chore: schema"),
    }
}
