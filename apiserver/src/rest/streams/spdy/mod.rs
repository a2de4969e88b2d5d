//! Streams over SPDY/3.1 framing, which clients use that cannot speak WebSocket, and for connections to pods.
//!
//! `frame` is the format, `headers` the compression of header blocks, `session` the streams of one connection. Source:
//! the SPDY protocol, draft 3.1. There is no flow control, as in every implementation that Kubernetes' clients have:
//! a stream that is not read holds up the others of its connection.

pub(super) mod frame;
mod headers;
pub(super) mod session;

use bytes::Bytes;
use coracle_service::{BoxIo, Env};
use serde::Deserialize;
use tokio::sync::mpsc;

use self::session::{Session, Stream, Writer};
use super::remote::{Inbound, Outbound, Remote};

/// The header that says what a stream carries.
pub(super) const STREAM_TYPE: &str = "streamtype";
/// Inputs of all streams that wait to be handed on.
const QUEUE: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u32,
    height: u32,
}

/// What carries a command's output.
#[derive(Default)]
struct Outputs {
    status: Option<Writer>,
    output: Option<Writer>,
    errors: Option<Writer>,
}

/// Carries a command's streams.
pub(super) async fn serve(io: BoxIo, remote: Remote, env: Env) {
    let mut session = Session::start(io, &env);
    let Remote {
        sender,
        mut receiver,
        open,
    } = remote;
    let (typed, mut typing) = mpsc::channel(QUEUE);
    let (mut outputs, mut expected) = (Outputs::default(), 1);
    expected += [open.stdin, open.stdout, open.stderr, open.tty]
        .iter()
        .filter(|wanted| **wanted)
        .count();
    // Nothing is printed before there is somewhere to print it.
    for _ in 0..expected {
        let Some(stream) = session.accept().await else {
            return;
        };
        take(stream, &mut outputs, &typed, &env);
    }
    drop(typed);
    let printing = async {
        while let Some(outbound) = receiver.next().await {
            let (writer, data) = match &outbound {
                Outbound::Stdout(data) => (&outputs.output, data.clone()),
                Outbound::Stderr(data) => (&outputs.errors, data.clone()),
                Outbound::End(status) => {
                    for writer in [&outputs.output, &outputs.errors].into_iter().flatten() {
                        writer.close().await;
                    }
                    (&outputs.status, Bytes::from(status.to_string()))
                }
            };
            if let Some(writer) = writer
                && !writer.send(data).await
            {
                return;
            }
            if matches!(outbound, Outbound::End(_)) {
                if let Some(writer) = &outputs.status {
                    writer.close().await;
                }
                return;
            }
        }
    };
    let handing_on = async {
        while let Some(inbound) = typing.recv().await {
            sender.send(inbound).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        biased;
        () = printing => true,
        () = handing_on => false,
        _ = session.accept() => false,
    };
    if ended {
        // The client closes the connection once it has read the status.
        session.finish().await;
    }
}

/// Puts a stream to its use.
fn take(stream: Stream, outputs: &mut Outputs, typed: &mpsc::Sender<Inbound>, env: &Env) {
    let Stream {
        headers,
        mut data,
        writer,
        ..
    } = stream;
    let kind = headers
        .iter()
        .find(|(name, _)| name == STREAM_TYPE)
        .map(|(_, value)| value.clone());
    match kind.as_deref() {
        Some("error") => outputs.status = Some(writer),
        Some("stdout") => outputs.output = Some(writer),
        Some("stderr") => outputs.errors = Some(writer),
        Some("stdin") => {
            let typed = typed.clone();
            env.spawn.task("stdin", async move {
                while let Some(data) = data.recv().await {
                    if typed.send(Inbound::Stdin(data)).await.is_err() {
                        return;
                    }
                }
                // The command may have ended.
                let _ = typed.send(Inbound::CloseStdin).await;
            });
        }
        Some("resize") => {
            let typed = typed.clone();
            env.spawn.task("resize", async move {
                while let Some(data) = data.recv().await {
                    // A size that came in pieces is followed by others.
                    if let Some(size) = last_size(&data)
                        && typed
                            .send(Inbound::Resize(size.width, size.height))
                            .await
                            .is_err()
                    {
                        return;
                    }
                }
            });
        }
        _ => {}
    }
}

fn last_size(data: &[u8]) -> Option<Size> {
    let sizes = serde_json::Deserializer::from_slice(data).into_iter::<Size>();
    sizes.flatten().last()
}
