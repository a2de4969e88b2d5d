//! How a test reaches a cluster's apiserver through either door: gRPC clients with a connection each, and a small
//! HTTPS client that shows status and body as they came, which kubectl does not.

use anyhow::Context;
use coracle_client::GrpcClient;
use coracle_service::{BoxIo, Env, Identity, connect, pki::Credentials};
use coracle_testing::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// Where the apiserver is, and who the test is.
#[derive(Clone)]
pub struct Access {
    /// `HOST:PORT`.
    pub server: String,
    /// The environment that it is dialed from.
    pub env: Env,
    identity: Identity,
}

/// What the REST door answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub code: u16,
    /// The body, with the chunks put together.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Access {
    /// The administrator's access to a cluster.
    ///
    /// # Errors
    /// Where the cluster does not answer or its credentials cannot be read.
    pub async fn of(cluster: &Cluster) -> anyhow::Result<Self> {
        Self::new(&cluster.server().await?, cluster.env(), &cluster.credentials()?)
    }

    /// Access with credentials of the caller's choice.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn new(server: &str, env: &Env, credentials: &Credentials) -> anyhow::Result<Self> {
        Ok(Self {
            server: server.to_owned(),
            env: env.clone(),
            identity: Identity::from_credentials(credentials)?,
        })
    }

    /// Who the test is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// The same server as another caller.
    #[must_use]
    pub fn with(&self, identity: Identity) -> Self {
        Self {
            identity,
            ..self.clone()
        }
    }

    /// A gRPC client with a connection of its own.
    ///
    /// # Errors
    /// Where the address cannot be read.
    pub fn client(&self) -> anyhow::Result<GrpcClient> {
        GrpcClient::new(&self.server, &self.env, &self.identity).map_err(anyhow::Error::msg)
    }

    /// One request to the REST door, on a connection of its own. `body` is a content type and the bytes.
    ///
    /// # Errors
    /// Where the connection is refused or breaks.
    pub async fn rest(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> anyhow::Result<Answer> {
        let (host, _) = self
            .server
            .rsplit_once(':')
            .context("read the server's address")?;
        let io = connect::connect(&self.server, host, &self.env, &self.identity.http1())
            .await
            .context("connect")?;
        exchange(io, method, path, host, body)
            .await
            .with_context(|| format!("{method} {path}"))
    }
}

async fn exchange(
    mut io: BoxIo,
    method: &str,
    path: &str,
    host: &str,
    body: Option<(&str, &[u8])>,
) -> anyhow::Result<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if let Some((content_type, bytes)) = body {
        request.push_str(&format!(
            "Content-Type: {content_type}\r\nContent-Length: {}\r\n",
            bytes.len()
        ));
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await?;
    if let Some((_, bytes)) = body {
        // A server that refuses the head stops reading; its answer is what counts.
        let _ = io.write_all(bytes).await;
    }
    let _ = io.flush().await;
    let mut raw = Vec::new();
    // A close without TLS's own goodbye is an error after the answer has come.
    let ended = io.take(MAX_ANSWER_BYTES).read_to_end(&mut raw).await;
    if raw.is_empty() {
        ended?;
    }
    parse(&raw)
}

fn parse(raw: &[u8]) -> anyhow::Result<Answer> {
    let end = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("read the answer's head")?;
    let head = std::str::from_utf8(&raw[..end])?;
    let code = head
        .split(' ')
        .nth(1)
        .context("read the answer's status")?
        .parse()?;
    let body = &raw[end + 4..];
    let is_chunked = head
        .lines()
        .any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = if is_chunked { unchunk(body)? } else { body.to_vec() };
    Ok(Answer {
        code,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn unchunk(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16).context("read a chunk's size")?;
        let chunk = rest.get(end + 2..end + 2 + size).context("read a chunk")?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        let whole = parse(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((whole.code, whole.body.as_str()), (409, "{}"));
        let chunked =
            parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(chunked.unwrap().body, "abcde");
        assert!(parse(b"nonsense").is_err());
    }
}
