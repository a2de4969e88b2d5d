//! Streams over WebSocket: the channel protocol (a byte in front of each message says which stream it is of), and a
//! plain stream of bytes for what is framed otherwise.

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use coracle_service::BoxIo;
use futures::{SinkExt, StreamExt, stream::SplitSink};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::remote::{Inbound, Outbound, Receiver, Remote, Sender};

/// Channels of the protocol.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// In version 5: the channel named by the next byte ends.
const CLOSE: u8 = 255;
/// The most bytes that wait between frames and messages, each way.
const BUFFER_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u32,
    height: u32,
}

/// Carries a command's streams.
pub(super) async fn serve(socket: WebSocket, remote: Remote) {
    let (mut sink, mut stream) = socket.split();
    let Remote {
        sender, mut receiver, ..
    } = remote;
    let up = async {
        while let Some(Ok(message)) = stream.next().await {
            if !hand_on(&sender, message).await {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = down(&mut receiver, &mut sink) => {}
        // The client is gone; dropping the command's streams ends it.
        () = up => return,
    }
    let close = CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    };
    // The client may have gone first.
    let _ = sink.send(Message::Close(Some(close))).await;
}

/// Hands on a message; false where nothing follows it.
async fn hand_on(sender: &Sender, message: Message) -> bool {
    let data = match message {
        Message::Binary(data) => data,
        Message::Text(text) => Bytes::from(text),
        Message::Close(_) => return false,
        Message::Ping(_) | Message::Pong(_) => return true,
    };
    match read(data) {
        // The command may read no more, and print on.
        Some(inbound) => {
            sender.send(inbound).await;
            true
        }
        None => true,
    }
}

fn read(mut data: Bytes) -> Option<Inbound> {
    if data.is_empty() {
        return None;
    }
    let channel = data.split_to(1)[0];
    match channel {
        STDIN if !data.is_empty() => Some(Inbound::Stdin(data)),
        RESIZE => {
            let size: Size = serde_json::from_slice(&data).ok()?;
            Some(Inbound::Resize(size.width, size.height))
        }
        CLOSE if *data == [STDIN] => Some(Inbound::CloseStdin),
        _ => None,
    }
}

/// Sends what the command prints, and how it ended.
async fn down(receiver: &mut Receiver, sink: &mut SplitSink<WebSocket, Message>) {
    while let Some(outbound) = receiver.next().await {
        let (channel, data) = match outbound {
            Outbound::Stdout(data) => (STDOUT, data),
            Outbound::Stderr(data) => (STDERR, data),
            Outbound::End(status) => (STATUS, status.to_string().into()),
        };
        let message = [&[channel], &*data].concat();
        if sink.send(Message::Binary(message.into())).await.is_err() || channel == STATUS {
            return;
        }
    }
}

/// The binary messages of a WebSocket as one stream of bytes, and the work of carrying them, which somebody has to do.
pub(super) fn bytes(socket: WebSocket) -> (BoxIo, impl Future<Output = ()> + Send) {
    let (near, far) = tokio::io::duplex(BUFFER_BYTES);
    let (mut reader, mut writer) = tokio::io::split(far);
    let (mut sink, mut stream) = socket.split();
    let carry = async move {
        let up = async {
            while let Some(Ok(message)) = stream.next().await {
                let written = match message {
                    Message::Binary(data) => writer.write_all(&data).await,
                    Message::Close(_) => break,
                    _ => Ok(()),
                };
                if written.is_err() {
                    break;
                }
            }
        };
        let down = async {
            let mut buffer = vec![0; BUFFER_BYTES];
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                let data = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                if sink.send(Message::Binary(data)).await.is_err() {
                    break;
                }
            }
            let _ = sink.send(Message::Close(None)).await;
        };
        tokio::select! {
            biased;
            () = down => {}
            () = up => {}
        }
    };
    (Box::new(near), carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_by_their_channel() {
        let check = |message: &[u8], expected: Option<Inbound>| {
            assert_eq!(read(Bytes::copy_from_slice(message)), expected, "{message:?}");
        };
        check(b"\0ls\n", Some(Inbound::Stdin(Bytes::from_static(b"ls\n"))));
        check(b"\0", None);
        check(b"", None);
        check(b"\x04{\"Width\":80,\"Height\":24}", Some(Inbound::Resize(80, 24)));
        check(b"\x04{", None);
        check(b"\xff\0", Some(Inbound::CloseStdin));
        check(b"\xff\x01", None);
        check(b"\x01x", None);
    }
}
