//! The built-in programs, a file each, and how a command finds its program.
//!
//! What they take and answer is documented for users in `docs/simulated-images.md`.

mod counter;
mod echo;
mod exit;
mod http;
mod load;
mod pause;
pub mod sh;
mod sleep;

use super::program::Program;

/// All of them.
static PROGRAMS: &[&dyn Program] = &[
    &counter::Counter,
    &echo::Echo,
    &exit::Exit,
    &http::Http,
    &load::Load,
    &pause::Pause,
    &sh::Sh,
    &sleep::Sleep,
];

/// Other names that commands in manifests use for a program.
const ALIASES: &[(&str, &str)] = &[
    ("apache2-foreground", "http"),
    ("ash", "sh"),
    ("bash", "sh"),
    ("http-echo", "http"),
    ("httpd", "http"),
    ("httpd-foreground", "http"),
    ("nginx", "http"),
    ("redis-server", "pause"),
];

/// The program of a command's first word, with or without its folder.
#[must_use]
pub fn find(word: &str) -> Option<&'static dyn Program> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, program)| program);
    PROGRAMS.iter().find(|program| program.name() == name).copied()
}

/// Whether a name is that of a command, and of no program.
#[must_use]
pub fn is_applet(name: &str) -> bool {
    find(name).is_none() && sh::is_applet(name)
}

/// The program that runs commands.
#[must_use]
pub fn applet() -> &'static dyn Program {
    &sh::Applet
}

#[cfg(test)]
pub(crate) mod tests;
