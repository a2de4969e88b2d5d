//! `wget` and `curl`. Only `http` is spoken; an `https` address is refused with a line that says so.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::{Call, Failure, Parsed, Result, network::seconds};
use crate::runtime::programs::sh::stream::Sink;

/// Redirections that are followed.
const MAX_REDIRECTS: u32 = 10;

/// Why a request was not answered.
enum Refusal {
    Name(String),
    Connect(SocketAddr, io::Error),
    Answer,
    Time,
    Scheme(String),
}

struct Wanted {
    method: Method,
    uri: Uri,
    headers: Vec<(String, String)>,
    body: Bytes,
    agent: &'static str,
    follow: bool,
    timeout: Duration,
}

struct Answered {
    address: SocketAddr,
    uri: Uri,
    response: Response<Incoming>,
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Call<'_> {
    async fn request(&self, wanted: &Wanted) -> std::result::Result<Answered, Refusal> {
        let mut uri = wanted.uri.clone();
        for _ in 0..=MAX_REDIRECTS {
            let asking = self.request_once(wanted, &uri);
            let clock = &self.shell.world.invocation.surroundings.transport_clock;
            let answered = clock
                .timeout(wanted.timeout, asking)
                .await
                .map_err(|_| Refusal::Time)??;
            let location = answered.response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            match location.filter(|_| wanted.follow && answered.response.status().is_redirection()) {
                Some(location) => uri = joined(&uri, location).map_err(|()| Refusal::Answer)?,
                None => return Ok(answered),
            }
        }
        Err(Refusal::Answer)
    }

    async fn request_once(&self, wanted: &Wanted, uri: &Uri) -> std::result::Result<Answered, Refusal> {
        if uri.scheme_str() != Some("http") {
            return Err(Refusal::Scheme(uri.scheme_str().unwrap_or_default().to_owned()));
        }
        let host = uri.host().unwrap_or_default().to_owned();
        let found = self
            .resolve(&host)
            .await
            .map_err(|_| Refusal::Name(host.clone()))?;
        let ip = found.first().copied().ok_or(Refusal::Name(host))?;
        let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(80));
        let io = self
            .dial(address, wanted.timeout)
            .await
            .map_err(|error| Refusal::Connect(address, error))?;
        let broken = |_: hyper::Error| Refusal::Answer;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
            .await
            .map_err(broken)?;
        let connection = self
            .shell
            .world
            .invocation
            .surroundings
            .spawn
            .task("request", async move {
                // An error of the connection is the answer's too.
                let _ = connection.await;
            });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(wanted.method.clone())
            .uri(path)
            .header(header::HOST, authority.rsplit('@').next().unwrap_or_default())
            .header(header::USER_AGENT, wanted.agent)
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close");
        for (name, value) in &wanted.headers {
            if let Some(headers) = request.headers_mut()
                && let Ok(name) = header::HeaderName::try_from(name.as_str())
            {
                headers.remove(&name);
            }
            request = request.header(name, value);
        }
        let request = request.body(Full::new(wanted.body.clone()));
        let request = request.map_err(|_| Refusal::Answer)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok(Answered {
            address,
            uri: uri.clone(),
            response,
            connection,
        })
    }

    /// Writes the body of an answer, and answers its length.
    async fn receive(&self, answered: &mut Answered, sink: &Sink) -> Result<u64> {
        let mut length = 0;
        while let Some(frame) = answered.response.body_mut().frame().await {
            let frame = frame.map_err(|error| Failure::Text(error.to_string()))?;
            if let Some(data) = frame.data_ref() {
                length += data.len() as u64;
                sink.write(data).await?;
            }
        }
        Ok(length)
    }
}

/// An address as people type it.
fn address(text: &str) -> Result<Uri> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let uri: Option<Uri> = text.parse().ok().filter(|uri: &Uri| uri.host().is_some());
    uri.ok_or_else(|| Failure::Text(format!("bad address '{text}'")))
}

fn joined(base: &Uri, location: &str) -> std::result::Result<Uri, ()> {
    let text = match location.starts_with('/') {
        true => format!(
            "http://{}{location}",
            base.authority().map_or("", |authority| authority.as_str())
        ),
        false => location.to_owned(),
    };
    text.parse().map_err(|_| ())
}

fn header_pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

const WGET_LONG: [(&str, char); 9] = [
    ("spider", 's'),
    ("quiet", 'q'),
    ("header", 'H'),
    ("post-data", 'p'),
    ("timeout", 'T'),
    ("tries", 't'),
    ("server-response", 'S'),
    ("output-document", 'O'),
    ("no-check-certificate", 'N'),
];

/// `wget [-cqS] [--spider] [-O FILE] [-T SECONDS] [-t TRIES] [--header H] [--post-data D] URL`
pub async fn wget(call: Call<'_>) -> Result {
    let parsed = call.options("cqSsNO:T:t:H:p:U:P:", &WGET_LONG)?;
    let Some(text) = parsed.operands.first() else {
        return Err(Failure::Text(
            "usage: wget [-q] [-O FILE] [-T SECONDS] URL".to_owned(),
        ));
    };
    let uri = address(text)?;
    let host = uri.host().unwrap_or_default().to_owned();
    let data = parsed.value('p');
    let wanted = Wanted {
        method: if data.is_some() { Method::POST } else { Method::GET },
        headers: parsed
            .values('H')
            .iter()
            .filter_map(|text| header_pair(text))
            .collect(),
        body: data.unwrap_or_default().to_owned().into(),
        agent: "Wget",
        follow: true,
        timeout: seconds(&parsed, 'T')?.unwrap_or(Duration::from_secs(900)),
        uri,
    };
    let errors = if parsed.has('q') {
        &Sink::Null
    } else {
        &call.streams.errors
    };
    let said = async |text: String| errors.write(text.as_bytes()).await;
    let mut answered = call.request(&wanted).await.map_err(|refusal| {
        Failure::Text(match refusal {
            Refusal::Name(name) => format!("bad address '{name}'"),
            Refusal::Connect(address, error) => {
                format!(
                    "can't connect to remote host ({}): {}",
                    address.ip(),
                    super::reason(&error)
                )
            }
            Refusal::Answer => "error getting response: Connection reset by peer".to_owned(),
            Refusal::Time => "download timed out".to_owned(),
            Refusal::Scheme(scheme) => format!("not an http url: {scheme} is not supported here"),
        })
    })?;
    said(format!("Connecting to {host} ({})\n", answered.address)).await?;
    let status = answered.response.status();
    if !status.is_success() {
        let reason = status.canonical_reason().unwrap_or_default();
        return Err(Failure::Text(format!(
            "server returned error: HTTP/1.1 {} {reason}",
            status.as_u16()
        )));
    }
    if parsed.has('s') {
        said("remote file exists\n".to_owned()).await?;
        return Ok(0);
    }
    let name = super::base(answered.uri.path());
    let default = if name.is_empty() { "index.html" } else { name }.to_owned();
    let file = parsed.value('O').unwrap_or(&default).to_owned();
    if file == "-" {
        said("writing to stdout\n".to_owned()).await?;
        let sink = call.streams.output.clone();
        let length = call.receive(&mut answered, &sink).await?;
        said(format!("-                    100% |********************************| {length:>5}  0:00:00 ETA\nwritten to stdout\n")).await?;
        return Ok(0);
    }
    if parsed.value('O').is_none() && call.files().stat(&call.shell.path(&file)).await.is_ok() {
        return Err(Failure::Text(format!("can't open '{file}': File exists")));
    }
    let sink = call.shell.create(&file, true, call.streams).await;
    let sink = sink.map_err(|error| Failure::Text(format!("can't open '{file}': {error}")))?;
    said(format!("saving to '{file}'\n")).await?;
    let length = call.receive(&mut answered, &sink).await?;
    said(format!(
        "{file:<20} 100% |********************************| {length:>5}  0:00:00 ETA\n'{file}' saved\n"
    ))
    .await?;
    Ok(0)
}

const CURL_LONG: [(&str, char); 20] = [
    ("silent", 's'),
    ("show-error", 'S'),
    ("fail", 'f'),
    ("verbose", 'v'),
    ("include", 'i'),
    ("head", 'I'),
    ("output", 'o'),
    ("remote-name", 'O'),
    ("request", 'X'),
    ("data", 'd'),
    ("data-raw", 'd'),
    ("data-binary", 'd'),
    ("header", 'H'),
    ("location", 'L'),
    ("max-time", 'm'),
    ("connect-timeout", 'c'),
    ("write-out", 'w'),
    ("user-agent", 'A'),
    ("insecure", 'k'),
    ("no-progress-meter", 'N'),
];

/// `curl [-sSfviILkO] [-o FILE] [-X METHOD] [-d DATA] [-H HEADER] [-m SECONDS] [-w FORMAT] URL...`
pub async fn curl(call: Call<'_>) -> Result {
    let parsed = call.options("sSfviILkNOo:X:d:H:m:c:w:A:", &CURL_LONG)?;
    if parsed.operands.is_empty() {
        return Err(Failure::Code(2, "no URL specified!".to_owned()));
    }
    let mut status = 0;
    for operand in &parsed.operands {
        status = match fetch(&call, &parsed, operand).await? {
            Ok(code) => code,
            Err((code, message)) => {
                if !parsed.has('s') || parsed.has('S') {
                    call.complain(&format!("({code}) {message}")).await?;
                }
                code
            }
        };
    }
    Ok(status)
}

type Fetched = std::result::Result<i32, (i32, String)>;

async fn fetch(call: &Call<'_>, parsed: &Parsed, operand: &str) -> Result<Fetched> {
    let Ok(uri) = address(operand) else {
        return Ok(Err((3, "URL using bad/illegal format or missing URL".to_owned())));
    };
    let (host, port) = (
        uri.host().unwrap_or_default().to_owned(),
        uri.port_u16().unwrap_or(80),
    );
    let data = parsed.values('d').join("&");
    let default = match (parsed.has('I'), parsed.has('d')) {
        (true, _) => "HEAD",
        (_, true) => "POST",
        _ => "GET",
    };
    let Ok(method) = parsed.value('X').unwrap_or(default).parse() else {
        return Ok(Err((3, "bad method".to_owned())));
    };
    let mut headers: Vec<(String, String)> = parsed
        .values('H')
        .iter()
        .filter_map(|text| header_pair(text))
        .collect();
    if parsed.has('d')
        && !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push((
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ));
    }
    if let Some(agent) = parsed.value('A') {
        headers.push(("User-Agent".to_owned(), agent.to_owned()));
    }
    let limits = [seconds(parsed, 'm')?, seconds(parsed, 'c')?];
    let timeout = limits
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(Duration::from_secs(300));
    let wanted = Wanted {
        method,
        headers,
        body: data.into(),
        agent: "curl/8.5.0",
        follow: parsed.has('L'),
        timeout,
        uri,
    };
    let mut answered = match call.request(&wanted).await {
        Ok(answered) => answered,
        Err(refusal) => {
            return Ok(Err(match refusal {
                Refusal::Name(name) => (6, format!("Could not resolve host: {name}")),
                Refusal::Connect(_, error) if error.kind() == ErrorKind::TimedOut => (
                    28,
                    format!("Failed to connect to {host} port {port}: Connection timed out"),
                ),
                Refusal::Connect(..) => (
                    7,
                    format!("Failed to connect to {host} port {port} after 0 ms: Couldn't connect to server"),
                ),
                Refusal::Answer => (52, "Empty reply from server".to_owned()),
                Refusal::Time => (
                    28,
                    format!(
                        "Operation timed out after {} milliseconds with 0 bytes received",
                        timeout.as_millis()
                    ),
                ),
                Refusal::Scheme(scheme) => (1, format!("Protocol \"{scheme}\" not supported here")),
            }));
        }
    };
    let code = answered.response.status();
    let head = head_of(code, answered.response.headers());
    if parsed.has('v') {
        let shown: String = head.lines().map(|line| format!("< {line}\n")).collect();
        let path = wanted.uri.path();
        let text = format!(
            "* Connected to {host} ({}) port {port}\n> {} {path} HTTP/1.1\n> Host: {host}\n>\n{shown}",
            answered.address.ip(),
            wanted.method
        );
        call.streams.errors.write(text.as_bytes()).await?;
    }
    if parsed.has('f') && (code.is_client_error() || code.is_server_error()) {
        return Ok(Err((
            22,
            format!("The requested URL returned error: {}", code.as_u16()),
        )));
    }
    let name = parsed.value('o').map(str::to_owned);
    let name = name.or_else(|| parsed.has('O').then(|| super::base(wanted.uri.path()).to_owned()));
    let sink = match name {
        Some(name) => {
            let sink = call.shell.create(&name, true, call.streams).await;
            sink.map_err(|error| Failure::Code(23, format!("(23) {name}: {error}")))?
        }
        None => call.streams.output.clone(),
    };
    if parsed.has('i') || parsed.has('I') {
        sink.write(head.as_bytes()).await?;
    }
    let length = call.receive(&mut answered, &sink).await?;
    if let Some(format) = parsed.value('w') {
        let text = format
            .replace("%{http_code}", &code.as_u16().to_string())
            .replace("%{response_code}", &code.as_u16().to_string())
            .replace("%{remote_ip}", &answered.address.ip().to_string())
            .replace("%{size_download}", &length.to_string());
        call.print(super::text::escaped(&text)).await?;
    }
    Ok(Ok(0))
}

fn head_of(status: http::StatusCode, headers: &HeaderMap) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16());
    for (name, value) in headers {
        text.push_str(&format!(
            "{name}: {}\r\n",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    text + "\r\n"
}
