//! The simulated container runtime: images, programs, and what a container's command means.
//!
//! Promises: what a container runs follows from its image and command alone; a program costs a task only where it
//! listens. When containers start, restart and end is decided in [`crate::pods`].

pub mod catalog;
pub mod console;
pub mod http;
pub mod life;
pub mod meter;
pub mod program;
pub mod programs;
pub mod reference;
pub mod serving;

use catalog::{Image, Lookup};
use program::Program;
use reference::Reference;

use crate::config::PublicImages;

/// What pulling an image gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// An image of the catalog.
    Catalog(Reference, &'static Image),
    /// An image that is not known here and runs as an idle program.
    Stranger(Reference),
    /// No image: the text that a runtime gives.
    Failed(String),
    /// Not even a reference: it will never be pulled.
    Invalid(String),
}

/// Pulls an image, which takes no time.
#[must_use]
pub fn pull(image: &str, public_images: PublicImages) -> Pull {
    let Ok(reference) = Reference::parse(image) else {
        return Pull::Invalid(format!(
            "Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: invalid reference format"
        ));
    };
    match (catalog::look_up(&reference), public_images) {
        (Lookup::Found(found), _) => Pull::Catalog(reference, found),
        (Lookup::Unknown, PublicImages::Idle) => Pull::Stranger(reference),
        (Lookup::NoSuchTag | Lookup::Unknown, _) => Pull::Failed(format!(
            "rpc error: code = NotFound desc = failed to pull and unpack image \"{reference}\": failed to resolve \
             reference \"{reference}\": {reference}: not found"
        )),
    }
}

/// The program of a container with its arguments; `None` where no built-in program has the name.
///
/// `command` and `args` override the image's as Kubernetes documents it.
#[must_use]
pub fn command(
    image: Option<&'static Image>,
    command: &[String],
    args: &[String],
) -> Option<(&'static dyn Program, Vec<String>)> {
    let image_words = || match image {
        // A shell image has no entry point, so arguments alone are a command.
        Some(image) if image.program == "sh" && !args.is_empty() => args.to_vec(),
        Some(image) => {
            let own = image.arguments.iter().map(|&argument| argument.to_owned());
            let arguments = if args.is_empty() {
                own.collect()
            } else {
                args.to_vec()
            };
            [vec![image.program.to_owned()], arguments].concat()
        }
        None => args.to_vec(),
    };
    let words = if command.is_empty() {
        image_words()
    } else {
        [command, args].concat()
    };
    let (word, arguments) = words.split_first()?;
    match word.rsplit('/').next() {
        Some("true") => Some((programs::find("exit")?, vec!["0".to_owned()])),
        Some("false") => Some((programs::find("exit")?, vec!["1".to_owned()])),
        Some(name) if programs::is_applet(name) => Some((programs::applet(), words)),
        _ => Some((programs::find(word)?, arguments.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn command_and_args_override_the_image() {
        let check = |image: &str, given: &[&str], args: &[&str], expected: Option<(&str, &[&str])>| {
            let image = match pull(image, PublicImages::Idle) {
                Pull::Catalog(_, image) => Some(image),
                _ => None,
            };
            let found = command(image, &words(given), &words(args));
            let found = found.map(|(program, arguments)| (program.name(), arguments));
            assert_eq!(
                found,
                expected.map(|(name, arguments)| (name, words(arguments))),
                "{image:?} {given:?} {args:?}"
            );
        };
        check("nginx", &[], &[], Some(("http", &[])));
        check("sleep", &[], &[], Some(("sleep", &["infinity"])));
        check("sleep", &[], &["5"], Some(("sleep", &["5"])));
        check("busybox", &[], &[], Some(("sh", &[])));
        check("busybox", &[], &["sleep", "3600"], Some(("sleep", &["3600"])));
        check(
            "busybox",
            &["/bin/sh", "-c", "sleep 1"],
            &[],
            Some(("sh", &["-c", "sleep 1"])),
        );
        check("busybox", &["echo"], &["a", "b"], Some(("echo", &["a", "b"])));
        check("ubuntu", &["/bin/false"], &[], Some(("exit", &["1"])));
        check(
            "busybox",
            &["/bin/ls"],
            &["-l"],
            Some(("applet", &["/bin/ls", "-l"])),
        );
        check("ubuntu", &[], &[], None);
        check("ubuntu", &["java"], &[], None);
        check(
            "jocatalin/kubernetes-bootcamp:v1",
            &[],
            &[],
            Some(("http", &["--bootcamp"])),
        );
    }

    #[test]
    fn what_cannot_be_pulled_says_why() {
        assert!(
            matches!(pull("nginx:9.9", PublicImages::Idle), Pull::Failed(text) if text.ends_with("nginx:9.9: not found"))
        );
        assert!(matches!(pull("postgres", PublicImages::Idle), Pull::Stranger(_)));
        assert!(matches!(pull("postgres", PublicImages::Deny), Pull::Failed(_)));
        assert!(matches!(pull("NGINX", PublicImages::Deny), Pull::Invalid(_)));
    }
}
