//! Redirections: where a command's streams go instead.

use std::sync::Arc;

use super::{
    interpreter::{BOTH, Flow, Shell},
    stream::{Sink, Source, Streams},
    syntax::{Redirect, RedirectKind},
};

impl Shell {
    /// The streams of a command with these redirections; `None` where one cannot be had, which was said.
    pub(super) async fn redirected(
        &mut self,
        redirects: &[Redirect],
        streams: &Streams,
    ) -> Result<Option<Streams>, Flow> {
        let mut own = streams.clone();
        for redirect in redirects {
            let target = self.expand_one(&redirect.target, streams).await?;
            if let Err(message) = self.redirect(redirect, &target, &mut own).await {
                let text = format!("{}: {message}\n", self.name);
                let _ = streams.errors.write(text.as_bytes()).await;
                return Ok(None);
            }
        }
        Ok(Some(own))
    }

    async fn redirect(&self, redirect: &Redirect, target: &str, own: &mut Streams) -> Result<(), String> {
        match redirect.kind {
            RedirectKind::Here => own.input = Source::bytes(target.as_bytes()),
            RedirectKind::Read => {
                own.input = self
                    .open(target, own)
                    .await
                    .map_err(|error| format!("can't open {target}: {error}"))?
            }
            RedirectKind::Duplicate => {
                let sink = match target {
                    "1" => own.output.clone(),
                    "2" => own.errors.clone(),
                    "-" => Sink::Null,
                    "0" if redirect.descriptor == 0 => return Ok(()),
                    _ => return Err(format!("{target}: bad file descriptor")),
                };
                set(own, redirect.descriptor, sink);
            }
            RedirectKind::Write | RedirectKind::Append => {
                let empty = redirect.kind == RedirectKind::Write;
                let sink = self
                    .create(target, empty, own)
                    .await
                    .map_err(|error| format!("can't create {target}: {error}"))?;
                set(own, redirect.descriptor, sink);
            }
        }
        Ok(())
    }

    /// Opens a file or a device for reading.
    pub(super) async fn open(&self, path: &str, streams: &Streams) -> Result<Source, String> {
        let path = self.path(path);
        Ok(match path.as_str() {
            "/dev/null" => Source::empty(),
            "/dev/zero" => Source::zeros(),
            "/dev/urandom" | "/dev/random" => {
                Source::noise(self.world.invocation.surroundings.random.clone())
            }
            "/dev/stdin" | "/dev/tty" | "/proc/self/fd/0" => streams.input.clone(),
            _ => {
                let files = self.world.files();
                let found = files.stat(&path).await.map_err(|error| super::reason(&error))?;
                if found.is_directory {
                    return Err("Is a directory".to_owned());
                }
                Source::file(Arc::clone(files), path)
            }
        })
    }

    /// Opens a file or a device for writing, at its end.
    pub(super) async fn create(&self, path: &str, empty: bool, streams: &Streams) -> Result<Sink, String> {
        let path = self.path(path);
        Ok(match path.as_str() {
            "/dev/null" => Sink::Null,
            "/dev/stdout" | "/dev/tty" | "/proc/self/fd/1" => streams.output.clone(),
            "/dev/stderr" | "/proc/self/fd/2" => streams.errors.clone(),
            // What the main command prints: the way in which a lesson writes to the container's log.
            "/proc/1/fd/1" | "/proc/1/fd/2" => match &self.world.invocation.life.console() {
                Some(console) => Sink::Console(Arc::clone(console)),
                None => Sink::Null,
            },
            _ => {
                let files = self.world.files();
                let made = async {
                    match files.stat(&path).await {
                        Ok(found) if found.is_directory => Err(std::io::ErrorKind::IsADirectory.into()),
                        Ok(_) if !empty => files.append(&path, Vec::new()).await,
                        _ => files.truncate(&path).await,
                    }
                };
                made.await.map_err(|error| super::reason(&error))?;
                Sink::File(Arc::clone(files), path.into())
            }
        })
    }
}

fn set(own: &mut Streams, descriptor: u8, sink: Sink) {
    match descriptor {
        1 => own.output = sink,
        2 => own.errors = sink,
        BOTH => (own.output, own.errors) = (sink.clone(), sink),
        _ => {}
    }
}
