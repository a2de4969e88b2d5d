//! `portforward`: connections to a pod's ports.
//!
//! Over frames, a client opens two streams for each connection, `error` and `data`, with the port and a number that
//! joins the two. Over WebSocket alone, as the Python client does it, ports are named in the query, and each has two
//! channels of which the first message is the port.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::ws::{Message, WebSocket},
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use coracle_api::ApiError;
use coracle_service::{BoxIo, Env};
use futures::{SinkExt, StreamExt};
use http::request::Parts;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use tonic::transport::Channel;

use super::{
    Door, Place,
    spdy::{
        STREAM_TYPE,
        session::{Session, Stream, Writer},
    },
    upgrade::{FORWARD_PROTOCOLS, Upgrade},
};
use crate::{dial, rest::query::Query};

/// Bytes that are carried at a time.
const CHUNK_BYTES: usize = 32 << 10;
/// Ports that one WebSocket forwards.
const MAX_PORTS: usize = 64;
/// Streams whose other half has not come yet.
const MAX_HALVES: usize = 64;
/// Messages that wait to be sent.
const QUEUE: usize = 16;

/// The pod that is meant.
#[derive(Clone)]
struct Pod {
    env: Env,
    channel: Channel,
    node: String,
    ip: String,
    name: String,
    uid: String,
}

impl Pod {
    async fn dial(&self, port: u16) -> Result<BoxIo, String> {
        let address = format!("{}:{port}", self.ip);
        let dialed = dial::through(self.channel.clone(), &self.env, &self.node, &address).await;
        dialed.map_err(|error| {
            let Self { name, uid, .. } = self;
            format!("error forwarding port {port} to pod {name}, uid {uid}: {error}")
        })
    }
}

pub(super) async fn respond(
    door: &Arc<Door>,
    place: Place,
    query: &Query,
    parts: &mut Parts,
) -> Result<Response, ApiError> {
    let pod = Pod {
        env: door.env.clone(),
        channel: door.nodes.channel(&place.authority)?,
        node: place.node,
        ip: place.ip,
        name: place.name,
        uid: place.uid,
    };
    let upgrade = Upgrade::of(parts, FORWARD_PROTOCOLS).await?;
    if upgrade.is_framed() {
        return Ok(upgrade.framed(door, move |io, env| framed(io, pod, env)));
    }
    let ports = ports(query)?;
    let socket = upgrade.into_socket();
    let socket = socket.ok_or_else(|| ApiError::bad_request("Upgrade request required"))?;
    let shutdown = door.shutdown.clone();
    Ok(socket.on_upgrade(move |socket| async move {
        shutdown.guard(by_channels(socket, pod, ports)).await;
    }))
}

fn ports(query: &Query) -> Result<Vec<u16>, ApiError> {
    let texts = query.all("ports").flat_map(|text| text.split(','));
    let ports: Option<Vec<u16>> = texts
        .map(|text| text.trim().parse().ok().filter(|port| *port > 0))
        .collect();
    let ports = ports.filter(|ports| !ports.is_empty() && ports.len() <= MAX_PORTS);
    ports.ok_or_else(|| {
        ApiError::bad_request("query parameter \"port\" is required, with ports of 1 to 65535")
    })
}

/// Serves a connection of frames until the client closes it.
async fn framed(io: BoxIo, pod: Pod, env: Env) {
    let mut session = Session::start(io, &env);
    let mut halves: BTreeMap<String, (Option<Stream>, Option<Stream>)> = BTreeMap::new();
    while let Some(stream) = session.accept().await {
        let header = |name: &str| {
            let found = stream.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let (kind, number, port) = (header(STREAM_TYPE), header("requestid"), header("port"));
        if halves.len() >= MAX_HALVES && !halves.contains_key(&number) {
            stream.writer.reset().await;
            continue;
        }
        let half = halves.entry(number.clone()).or_default();
        match kind.as_str() {
            "error" => half.0 = Some(stream),
            "data" => half.1 = Some(stream),
            _ => {
                stream.writer.reset().await;
                continue;
            }
        }
        if let (Some(_), Some(_)) = half
            && let Some((Some(errors), Some(data))) = halves.remove(&number)
        {
            let pod = pod.clone();
            env.spawn
                .task("port-forward", forward(pod, port, errors.writer, data));
        }
    }
}

/// Carries one connection.
async fn forward(pod: Pod, port: String, errors: Writer, stream: Stream) {
    let Stream { mut data, writer, .. } = stream;
    let dialed = match port.parse() {
        Ok(port) => pod.dial(port).await,
        Err(_) => Err(format!("{port:?} is not a port")),
    };
    let io = match dialed {
        Ok(io) => io,
        Err(message) => {
            errors.send(message.into()).await;
            errors.close().await;
            return writer.close().await;
        }
    };
    let (mut reader, mut to_pod) = tokio::io::split(io);
    let up = async {
        while let Some(data) = data.recv().await {
            if to_pod.write_all(&data).await.is_err() {
                return;
            }
        }
        // The client will send no more, and may read on.
        let _ = to_pod.shutdown().await;
    };
    let down = async {
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            let data = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if !writer.send(data).await {
                return;
            }
        }
        writer.close().await;
    };
    tokio::pin!(up, down);
    tokio::select! {
        biased;
        () = &mut down => {}
        () = &mut up => down.await,
    }
    errors.close().await;
}

/// Serves ports by channels: `2n` is the data of the port `n`, `2n + 1` its errors.
async fn by_channels(socket: WebSocket, pod: Pod, ports: Vec<u16>) {
    let (mut sink, mut stream) = socket.split();
    let (messages, mut unsent) = mpsc::channel::<Bytes>(QUEUE);
    let mut inputs = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let Ok(channel) = u8::try_from(at * 2) else { return };
        let (input, data) = mpsc::channel(QUEUE);
        inputs.push(input);
        let (pod, messages, port) = (pod.clone(), messages.clone(), *port);
        pod.env
            .clone()
            .spawn
            .task("port-forward", channels(pod, port, channel, data, messages));
    }
    drop(messages);
    let down = async {
        while let Some(message) = unsent.recv().await {
            if sink.send(Message::Binary(message)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(Message::Close(None)).await;
    };
    let up = async {
        while let Some(Ok(message)) = stream.next().await {
            let mut data = match message {
                Message::Binary(data) if !data.is_empty() => data,
                Message::Close(_) => return,
                _ => continue,
            };
            let channel = data.split_to(1)[0];
            if let Some(input) = inputs.get(usize::from(channel / 2)).filter(|_| channel % 2 == 0) {
                // A connection that is gone takes nothing.
                let _ = input.send(data).await;
            }
        }
    };
    tokio::select! {
        biased;
        () = down => {}
        () = up => {}
    }
}

async fn channels(
    pod: Pod,
    port: u16,
    channel: u8,
    mut data: mpsc::Receiver<Bytes>,
    messages: mpsc::Sender<Bytes>,
) {
    let framed = |channel: u8, data: &[u8]| {
        let mut message = BytesMut::with_capacity(data.len() + 1);
        message.put_u8(channel);
        message.put_slice(data);
        message.freeze()
    };
    for channel in [channel, channel + 1] {
        // Where the client is gone, the first read says so.
        let _ = messages.send(framed(channel, &port.to_le_bytes())).await;
    }
    let io = match pod.dial(port).await {
        Ok(io) => io,
        Err(message) => {
            let _ = messages.send(framed(channel + 1, message.as_bytes())).await;
            return;
        }
    };
    let (mut reader, mut to_pod) = tokio::io::split(io);
    let up = async {
        while let Some(data) = data.recv().await {
            if to_pod.write_all(&data).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            let message = framed(channel, buffer.get(..length).unwrap_or_default());
            if messages.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = down => {}
        () = up => {}
    }
}
