//! Opens connections from a node to pods and Services, and carries their bytes both ways.

use std::io;

use bytes::Bytes;
use coracle_proto::v1::{
    DialClose, DialOpened, DialRequest, DialResponse, dial_request::Message as Ask,
    dial_response::Message as Answer,
};
use coracle_service::BoxIo;
use futures::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Answers, Server};

/// The most bytes of one message.
const CHUNK_BYTES: usize = 64 << 10;
/// Messages that wait to be sent; the pod's side is not read meanwhile.
const QUEUE: usize = 16;
/// Where short names of Services are looked for.
const NAMESPACE: &str = "default";

impl Server {
    pub(super) async fn stream_dial(
        &self,
        mut requests: Streaming<DialRequest>,
    ) -> Result<Answers<DialResponse>, Status> {
        let open = match requests.next().await.transpose()? {
            Some(DialRequest {
                message: Some(Ask::Open(open)),
            }) => open,
            _ => return Err(Status::invalid_argument("the first message must be `open`")),
        };
        let (from, io) = self.open(&open.address, &open.node_name).await?;
        let (reader, writer) = tokio::io::split(io);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let opened = Answer::Opened(DialOpened { local_address: from });
        // The queue is empty and its receiver is at hand.
        let _ = sender
            .send(Ok(DialResponse {
                message: Some(opened),
            }))
            .await;
        self.env.spawn.task("dial", async move {
            tokio::select! {
                biased;
                // Ends when the caller is gone, which ends the other direction as well.
                () = to_pod(requests, writer) => {}
                () = sender.closed() => {}
                () = from_pod(reader, &sender) => {}
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    async fn open(&self, address: &str, node_name: &str) -> Result<(String, BoxIo), Status> {
        let node = match node_name {
            "" => self.nodes.first(),
            name => self.nodes.iter().find(|(known, _)| known == name),
        };
        let Some((node, from)) = node else {
            return Err(Status::not_found(format!(
                "node {node_name:?} is not played by this process"
            )));
        };
        let target = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let Some(target) = target.filter(|(host, _)| !host.is_empty()) else {
            return Err(Status::invalid_argument(format!(
                "dial {address}: it must be HOST:PORT"
            )));
        };
        match self.services.connect((*from, node), target, NAMESPACE).await {
            Ok(io) => Ok((from.to_string(), io)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Status::deadline_exceeded(format!("dial {address}: {error}")))
            }
            Err(error) => Err(Status::unavailable(format!("dial {address}: {error}"))),
        }
    }
}

/// Carries the caller's bytes until the stream ends; after `close_write`, waits for that end.
async fn to_pod(mut requests: Streaming<DialRequest>, mut writer: WriteHalf<BoxIo>) {
    while let Some(Ok(request)) = requests.next().await {
        let done = match request.message {
            Some(Ask::Data(data)) => writer.write_all(&data).await,
            Some(Ask::CloseWrite(DialClose {})) => {
                let closed = writer.shutdown().await;
                if closed.is_ok() {
                    // The caller reads on; dropping this side is the other direction's to decide.
                    std::future::pending::<()>().await;
                }
                closed
            }
            Some(Ask::Open(_)) | None => return,
        };
        if done.is_err() {
            return;
        }
    }
}

async fn from_pod(mut reader: ReadHalf<BoxIo>, sender: &mpsc::Sender<Result<DialResponse, Status>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let message = match reader.read(&mut buffer).await {
            Ok(0) => Ok(Answer::CloseWrite(DialClose {})),
            Ok(length) => Ok(Answer::Data(Bytes::copy_from_slice(&buffer[..length]))),
            Err(error) => Err(Status::unavailable(format!("read from pod: {error}"))),
        };
        let last = !matches!(message, Ok(Answer::Data(_)));
        let sent = sender
            .send(message.map(|message| DialResponse {
                message: Some(message),
            }))
            .await;
        if last || sent.is_err() {
            return;
        }
    }
}
