//! Connections to pods, through the `Dial` stream of the pod's node, so that the apiserver needs no route to pods.

use std::io;

use coracle_proto::v1::{
    DialClose, DialOpen, DialRequest, dial_request::Message as Ask, dial_response::Message as Answer,
    node_service_client::NodeServiceClient,
};
use coracle_service::{BoxIo, Env};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// Bytes that wait in each direction between the connection and the node.
const BUFFER_BYTES: usize = 64 << 10;
/// Messages that wait to be sent to the node.
const QUEUE: usize = 16;

/// Opens a connection from `node`, whose agent is at the other end of `channel`, to `address` (`IP:PORT`).
pub(crate) async fn through(channel: Channel, env: &Env, node: &str, address: &str) -> io::Result<BoxIo> {
    let (requests, receiver) = mpsc::channel(QUEUE);
    let open = Ask::Open(DialOpen {
        address: address.to_owned(),
        node_name: node.to_owned(),
    });
    // The queue is empty and its receiver is at hand.
    let _ = requests.send(DialRequest { message: Some(open) }).await;
    let mut answers = NodeServiceClient::new(channel)
        .dial(ReceiverStream::new(receiver))
        .await
        .map_err(refused)?
        .into_inner();
    match answers.message().await.map_err(refused)? {
        Some(answer) if matches!(answer.message, Some(Answer::Opened(_))) => {}
        _ => return Err(io::Error::other("the node did not open a connection")),
    }
    let (near, far) = tokio::io::duplex(BUFFER_BYTES);
    let (mut reader, mut writer) = tokio::io::split(far);
    env.spawn.task("dial", async move {
        let answers = async {
            while let Ok(Some(answer)) = answers.message().await {
                let written = match answer.message {
                    Some(Answer::Data(data)) => writer.write_all(&data).await,
                    _ => writer.shutdown().await,
                };
                if written.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = answers => {}
            () = send(&mut reader, requests) => {}
        }
    });
    Ok(Box::new(near))
}

/// Sends what is written to the connection; after its end, waits for the other direction's.
async fn send(reader: &mut tokio::io::ReadHalf<DuplexStream>, requests: mpsc::Sender<DialRequest>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let message = match reader.read(&mut buffer).await {
            Ok(0) => Ask::CloseWrite(DialClose {}),
            Ok(length) => Ask::Data(bytes::Bytes::copy_from_slice(
                buffer.get(..length).unwrap_or_default(),
            )),
            Err(_) => return,
        };
        let is_last = matches!(message, Ask::CloseWrite(_));
        let sent = requests
            .send(DialRequest {
                message: Some(message),
            })
            .await;
        if sent.is_err() {
            return;
        }
        if is_last {
            return std::future::pending().await;
        }
    }
}

fn refused(status: tonic::Status) -> io::Error {
    io::Error::other(status.message().to_owned())
}
