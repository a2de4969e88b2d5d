//! `coracle fetch URL`: a small curl, for places that have none, such as our own containers.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use coracle_service::{Env, Identity, connect, network::dial_authority};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use crate::{args::Fetch, output};

/// The largest answer that is read.
const MAX_BODY: usize = 64 << 20;
/// curl's exit code for an HTTP answer of 400 and above (with `--fail`), which scripts know.
const HTTP_ERROR: u8 = 22;

pub async fn run(args: Fetch) -> anyhow::Result<ExitCode> {
    let env = Env::host();
    let url: Uri = args
        .url
        .parse()
        .with_context(|| format!("read URL {:?}", args.url))?;
    let method = match &args.request {
        Some(method) => method
            .parse()
            .with_context(|| format!("read method {method:?}"))?,
        None if args.data.is_some() => Method::POST,
        None => Method::GET,
    };
    let scheme = url.scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        bail!("fetch {url}: only http and https are supported");
    }
    let identity = match &args.cacert {
        Some(path) => {
            let pem = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Identity::anonymous(&pem)?
        }
        None if args.insecure || scheme == "http" => Identity::unverified()?,
        None => bail!("fetch {url}: https needs --cacert FILE, or -k to trust any server"),
    };
    let call = Call {
        url,
        method,
        body: args.data.unwrap_or_default(),
        identity,
    };
    let limit = Duration::from_secs(args.max_time);
    let answer = env
        .transport_clock
        .timeout(limit, self::call(call, &env))
        .await
        .with_context(|| format!("fetch {}: no answer within {} s", args.url, args.max_time))??;
    if args.include {
        output::data(&format!("{:?} {}\n", answer.version(), answer.status()));
        for (name, value) in answer.headers() {
            output::data(&format!(
                "{name}: {}\n",
                String::from_utf8_lossy(value.as_bytes())
            ));
        }
        output::data("\n");
    }
    output::data(&String::from_utf8_lossy(answer.body()));
    Ok(if answer.status().as_u16() >= 400 {
        ExitCode::from(HTTP_ERROR)
    } else {
        ExitCode::SUCCESS
    })
}

/// One request.
pub struct Call {
    pub url: Uri,
    pub method: Method,
    pub body: String,
    /// For https.
    pub identity: Identity,
}

/// Makes one request over a connection of its own.
///
/// # Errors
/// Where the URL is not http or https, or the server cannot be reached or does not speak HTTP.
pub async fn call(call: Call, env: &Env) -> anyhow::Result<Response<Bytes>> {
    let Call {
        url,
        method,
        body,
        identity,
    } = call;
    let host = url
        .host()
        .with_context(|| format!("read URL {url}: it names no host"))?
        .to_owned();
    let secure = url.scheme_str() == Some("https");
    let authority = format!(
        "{host}:{}",
        url.port_u16().unwrap_or(if secure { 443 } else { 80 })
    );
    let io = if secure {
        connect::connect(&authority, &host, env, &identity.http1()).await
    } else {
        dial_authority(&*env.network, &authority).await
    }
    .with_context(|| format!("connect to {authority}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    env.spawn.task("fetch", async move {
        let _ = connection.await;
    });
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(
            "host",
            url.authority()
                .map_or(host.as_str(), |authority| authority.as_str()),
        )
        .header("user-agent", concat!("coracle/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))?;
    let (head, body) = sender
        .send_request(request)
        .await
        .with_context(|| format!("fetch {url}"))?
        .into_parts();
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("read answer of {url}: {error}"))?
        .to_bytes();
    Ok(Response::from_parts(head, body))
}
