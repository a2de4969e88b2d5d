//! Opens connections from a node to its pods, and carries their bytes both ways.

use std::{io, net::IpAddr, time::Duration};

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
use crate::probes;

/// The most bytes of one message.
const CHUNK_BYTES: usize = 64 << 10;
/// Messages that wait to be sent; the pod's side is not read meanwhile.
const QUEUE: usize = 16;
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
        let Some((_, from)) = node else {
            return Err(Status::not_found(format!(
                "node {node_name:?} is not played by this process"
            )));
        };
        let failed = |error: io::Error| Status::unavailable(format!("dial {address}: {error}"));
        let targets = self.env.network.resolve(address).await.map_err(failed)?;
        let target = targets.into_iter().find_map(|target| match target.ip() {
            IpAddr::V4(ip) => Some((ip, target.port())),
            IpAddr::V6(_) => None,
        });
        let Some((ip, port)) = target else {
            return Err(Status::invalid_argument(format!(
                "dial {address}: it has no IPv4 address"
            )));
        };
        let dialing = probes::dial(&self.env, *from, ip, port);
        match self.env.transport_clock.timeout(CONNECT_TIMEOUT, dialing).await {
            Ok(outcome) => Ok((from.to_string(), outcome.map_err(failed)?)),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "dial {address}: no answer in 10 s"
            ))),
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
