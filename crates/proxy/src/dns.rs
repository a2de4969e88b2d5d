//! DNS on the wire (RFC 1035, 2782, 6891): one question a message, answered from [`crate::names`].
//!
//! Small because it answers for one domain and asks nobody: six kinds of records, no recursion but to the host's own
//! resolver for addresses outside. Whatever cannot be read is answered with FORMERR, or not at all where not even the
//! head can be.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use coracle_service::{BoxIo, Datagram, Env, Listener, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

use crate::names::{Data, Kind, Outcome, Record, Resolver, TTL};

/// The longest answer in a datagram for clients that do not say more.
const PLAIN_BYTES: usize = 512;
/// The longest answer in a datagram at all, so that none is cut into pieces on its way.
const MAX_DATAGRAM: usize = 1_232;
/// The longest question.
const MAX_QUERY: usize = 4_096;
/// Connections answered at a time; further ones wait.
pub const MAX_CONNECTIONS: usize = 256;
/// Datagrams answered at a time; further ones are dropped, and clients ask again.
pub const MAX_PENDING: usize = 1_024;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes that wait on a connection inside the process.
const PIPE_BYTES: usize = 8 << 10;

const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NO_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;
const TYPE_SRV: u16 = 33;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// A question as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    id: u16,
    recursion_desired: bool,
    /// The name, in lower case, without the last dot.
    pub name: String,
    /// What is asked for.
    pub kind: u16,
    /// The question's own bytes, to be sent back.
    question: Vec<u8>,
    /// The longest datagram that the client takes; `None` where it does not speak EDNS.
    payload: Option<usize>,
}

/// Reads a query; the error is the code to answer with and the message's id, where there is one.
///
/// # Errors
/// What to answer instead.
pub fn parse(message: &[u8]) -> Result<Query, Option<(u16, u8)>> {
    let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let id = word(0).ok_or(None)?;
    let flags = word(2).ok_or(None)?;
    if flags & 0x8000 != 0 {
        // An answer is answered to nobody.
        return Err(None);
    }
    if flags >> 11 & 0xf != 0 {
        return Err(Some((id, NOT_IMPLEMENTED)));
    }
    let bad = Some((id, FORMAT_ERROR));
    if word(4).ok_or(bad)? != 1 {
        return Err(bad);
    }
    let (mut at, mut name) = (12, String::new());
    loop {
        let length = usize::from(*message.get(at).ok_or(bad)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => {
                let label = message.get(at..at + length).ok_or(bad)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
                at += length;
            }
            // A question has nothing before it to point to.
            _ => return Err(bad),
        }
        if name.len() > 255 {
            return Err(bad);
        }
    }
    let kind = word(at).ok_or(bad)?;
    let question = message.get(12..at + 4).ok_or(bad)?.to_vec();
    let answers_and_authorities = word(6).ok_or(bad)? | word(8).ok_or(bad)?;
    // The one further record that queries carry is OPT, whose owner is the root.
    let has_edns = answers_and_authorities == 0
        && word(10).is_some_and(|count| count > 0)
        && message.get(at + 4) == Some(&0)
        && word(at + 5) == Some(TYPE_OPT);
    let payload = has_edns.then(|| usize::from(word(at + 7).unwrap_or(0)).clamp(PLAIN_BYTES, MAX_DATAGRAM));
    Ok(Query {
        id,
        recursion_desired: flags & 0x0100 != 0,
        name,
        kind,
        question,
        payload,
    })
}

/// Answers one message; nothing where it deserves none.
pub async fn answer(message: &[u8], resolver: &Resolver, datagram: bool) -> Option<Vec<u8>> {
    let query = match parse(message) {
        Ok(query) => query,
        Err(refusal) => {
            let (id, code) = refusal?;
            let mut out = id.to_be_bytes().to_vec();
            out.extend([0x80, code, 0, 0, 0, 0, 0, 0, 0, 0]);
            return Some(out);
        }
    };
    let (code, records, further) = resolve(&query, resolver).await;
    let limit = if datagram {
        query.payload.unwrap_or(PLAIN_BYTES)
    } else {
        usize::from(u16::MAX)
    };
    Some(encode(&query, code, &records, &further, limit))
}

async fn resolve(query: &Query, resolver: &Resolver) -> (u8, Vec<Record>, Vec<Record>) {
    let kind = match query.kind {
        TYPE_A => Kind::A,
        TYPE_AAAA => Kind::Aaaa,
        TYPE_SRV => Kind::Srv,
        TYPE_PTR => Kind::Ptr,
        TYPE_CNAME => Kind::Cname,
        _ => Kind::Other,
    };
    match resolver.look_up(&query.name, kind) {
        Outcome::Found(mut records, further) => {
            let alias = records.first().and_then(|record| match &record.data {
                Data::Cname(alias) => Some(alias.clone()),
                _ => None,
            });
            if let Some(alias) = alias.filter(|_| kind == Kind::A) {
                let addresses = resolver
                    .addresses(&format!("{alias}."), "")
                    .await
                    .unwrap_or_default();
                records.extend(addresses_of(&alias, addresses));
            }
            (NO_ERROR, records, further)
        }
        Outcome::NoName => (NO_NAME, Vec::new(), Vec::new()),
        Outcome::Outside => match resolver.outside(&query.name).await {
            Some(addresses) if kind == Kind::A => (
                NO_ERROR,
                addresses_of(&query.name, addresses).collect(),
                Vec::new(),
            ),
            Some(_) => (NO_ERROR, Vec::new(), Vec::new()),
            None if query.name.is_empty() => (SERVER_FAILURE, Vec::new(), Vec::new()),
            None => (NO_NAME, Vec::new(), Vec::new()),
        },
    }
}

fn addresses_of(name: &str, addresses: Vec<std::net::IpAddr>) -> impl Iterator<Item = Record> {
    let name = name.to_owned();
    addresses.into_iter().filter_map(move |address| match address {
        std::net::IpAddr::V4(ip) => Some(Record {
            name: name.clone(),
            data: Data::A(ip),
        }),
        std::net::IpAddr::V6(_) => None,
    })
}

/// The answer in at most `limit` bytes; the client is told where some of it did not fit.
fn encode(query: &Query, code: u8, records: &[Record], further: &[Record], limit: usize) -> Vec<u8> {
    let mut out = query.id.to_be_bytes().to_vec();
    // An authoritative answer, recursion available.
    out.push(0x84 | u8::from(query.recursion_desired));
    out.push(0x80 | code);
    out.extend(1_u16.to_be_bytes());
    out.extend([0; 6]);
    out.extend(&query.question);
    let edns = if query.payload.is_some() { 11 } else { 0 };
    let (mut counts, mut truncated) = ([0_u16; 2], false);
    for (section, records) in [records, further].into_iter().enumerate() {
        for record in records {
            let before = out.len();
            put(&mut out, record, query);
            if out.len() + edns > limit {
                out.truncate(before);
                truncated |= section == 0;
                break;
            }
            counts[section] += 1;
        }
    }
    if query.payload.is_some() {
        out.push(0);
        out.extend(TYPE_OPT.to_be_bytes());
        out.extend((MAX_DATAGRAM as u16).to_be_bytes());
        out.extend([0; 6]);
        counts[1] += 1;
    }
    if truncated && let Some(flags) = out.get_mut(2) {
        *flags |= 0x02;
    }
    out.splice(6..8, counts[0].to_be_bytes());
    out.splice(10..12, counts[1].to_be_bytes());
    out
}

fn put(out: &mut Vec<u8>, record: &Record, query: &Query) {
    if record.name == query.name {
        // The question's own name is right behind the head.
        out.extend([0xc0, 12]);
    } else {
        put_name(out, &record.name);
    }
    let (kind, data) = match &record.data {
        Data::A(ip) => (TYPE_A, ip.octets().to_vec()),
        Data::Cname(name) => (TYPE_CNAME, name_bytes(name)),
        Data::Ptr(name) => (TYPE_PTR, name_bytes(name)),
        Data::Srv(port, name) => {
            let mut data = vec![0, 0, 0, 100];
            data.extend(port.to_be_bytes());
            data.extend(name_bytes(name));
            (TYPE_SRV, data)
        }
    };
    out.extend(kind.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(TTL.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
    out.extend(data);
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    put_name(&mut out, name);
    out
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
}

/// Answers datagrams until shutdown.
pub async fn serve_datagrams(
    socket: Box<dyn Datagram>,
    resolver: Arc<Resolver>,
    env: Env,
    shutdown: Shutdown,
) {
    let socket: Arc<dyn Datagram> = socket.into();
    let pending = Arc::new(Semaphore::new(MAX_PENDING));
    let work = async {
        let mut buffer = vec![0; MAX_QUERY];
        loop {
            let (length, from) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "receive question");
                    env.transport_clock.sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&pending).try_acquire_owned() else {
                continue;
            };
            let (socket, resolver) = (Arc::clone(&socket), Arc::clone(&resolver));
            let message = buffer[..length].to_vec();
            env.spawn.task("dns", async move {
                if let Some(answer) = answer(&message, &resolver, true).await {
                    // A client that has gone has no use for it.
                    let _ = socket.send_to(&answer, from).await;
                }
                drop(slot);
            });
        }
    };
    shutdown.guard(work).await;
}

/// Answers connections until shutdown.
pub async fn serve_connections(
    mut listener: Box<dyn Listener>,
    resolver: Arc<Resolver>,
    env: Env,
    shutdown: Shutdown,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let work = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((io, _)) => {
                    let (resolver, env_of_task) = (Arc::clone(&resolver), env.clone());
                    env.spawn.task("dns connection", async move {
                        let _: io::Result<()> = converse(io, &resolver, &env_of_task).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "accept dns connection");
                    env.transport_clock.sleep(Duration::from_millis(10)).await;
                }
            }
        }
    };
    shutdown.guard(work).await;
}

/// A connection to the resolver inside the process.
pub fn in_process(resolver: &Arc<Resolver>, env: &Env) -> BoxIo {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let (resolver, env_of_task) = (Arc::clone(resolver), env.clone());
    env.spawn.task("dns connection", async move {
        let _: io::Result<()> = converse(Box::new(ours), &resolver, &env_of_task).await;
    });
    Box::new(theirs)
}

/// Answers the questions of one connection, each behind its length.
async fn converse(mut io: BoxIo, resolver: &Resolver, env: &Env) -> io::Result<()> {
    loop {
        let message = async {
            let length = usize::from(io.read_u16().await?);
            let mut message = vec![0; length.min(MAX_QUERY)];
            io.read_exact(&mut message).await?;
            Ok::<_, io::Error>(message)
        };
        let Ok(message) = env.transport_clock.timeout(IDLE, message).await else {
            return Ok(());
        };
        let Some(answer) = answer(&message?, resolver, false).await else {
            return Ok(());
        };
        io.write_u16(u16::try_from(answer.len()).unwrap_or(u16::MAX))
            .await?;
        io.write_all(&answer).await?;
    }
}

/// Asks the server at `server` by datagram for addresses or other records; the answer's code and records as text.
///
/// # Errors
/// The network's, or [`io::ErrorKind::InvalidData`] for an answer that cannot be read.
pub async fn ask(name: &str, kind: u16, server: SocketAddr, env: &Env) -> io::Result<(u8, Vec<String>)> {
    let id = (env.random.next_u64() & 0xffff) as u16;
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    put_name(&mut message, name);
    message.extend(kind.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    let mut io = env.network.dial(None, server).await?;
    io.write_u16(u16::try_from(message.len()).unwrap_or(u16::MAX))
        .await?;
    io.write_all(&message).await?;
    let length = usize::from(io.read_u16().await?);
    let mut answer = vec![0; length];
    io.read_exact(&mut answer).await?;
    read::answer(&answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer cannot be read"))
}

mod read {
    //! Answers, read back as text.

    use super::{TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_PTR, TYPE_SRV};

    /// Pointers that one name may follow.
    const MAX_POINTERS: usize = 16;

    pub(super) fn answer(message: &[u8]) -> Option<(u8, Vec<String>)> {
        let code = message.get(3)? & 0xf;
        let count = word(message, 6)?;
        let (_, mut at) = name(message, 12)?;
        at += 4;
        let mut records = Vec::new();
        for _ in 0..count {
            let (owner, after) = name(message, at)?;
            let (kind, length) = (word(message, after)?, usize::from(word(message, after + 8)?));
            let data = after + 10;
            let text = match kind {
                TYPE_A => message
                    .get(data..data + 4)
                    .map(|ip| format!("A {}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3])),
                TYPE_AAAA => Some("AAAA".to_owned()),
                TYPE_CNAME => name(message, data).map(|(name, _)| format!("CNAME {name}")),
                TYPE_PTR => name(message, data).map(|(name, _)| format!("PTR {name}")),
                TYPE_SRV => {
                    let port = word(message, data + 4)?;
                    name(message, data + 6).map(|(name, _)| format!("SRV {port} {name}"))
                }
                other => Some(format!("TYPE{other}")),
            };
            records.push(format!("{owner} {}", text?));
            at = data + length;
        }
        Some((code, records))
    }

    fn word(message: &[u8], at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]))
    }

    /// A name, and where what follows it begins.
    fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
        let (mut text, mut end) = (String::new(), None);
        for _ in 0..MAX_POINTERS * 8 {
            let length = usize::from(*message.get(at)?);
            match length {
                0 => return Some((text, end.unwrap_or(at + 1))),
                1..=63 => {
                    let label = message.get(at + 1..at + 1 + length)?;
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(&String::from_utf8_lossy(label));
                    at += 1 + length;
                }
                _ => {
                    end = end.or(Some(at + 2));
                    at = usize::from(word(message, at)? & 0x3fff);
                }
            }
        }
        None
    }
}
