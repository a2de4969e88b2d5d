//! `http`: answers with who it is, or with the files of a mounted volume.
//!
//! Options: `--port N`, `--text TEXT` (or `MESSAGE`), `--root DIR`, `--bootcamp` (upstream's line of the Kubernetes
//! bootcamp), `--request` (the request in the answer). `/status/CODE` answers with that code.

use std::{fmt::Write, io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::runtime::{
    http::{Handler, HttpService, text},
    program::{Invocation, Program, Run, Usage},
};

/// Where the images that are known for it keep their pages.
const ROOTS: &[&str] = &["/usr/share/nginx/html", "/usr/local/apache2/htdocs"];

/// The program.
pub struct Http;

impl Program for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let ports = match invocation.option("listen") {
            Some(listen) => {
                let port = listen.rsplit(':').next().unwrap_or(listen);
                vec![
                    port.parse()
                        .map_err(|_| Usage(format!("http: {listen:?} is not an address")))?,
                ]
            }
            None => invocation.listen_ports()?,
        };
        let service = HttpService::new(Site::new(Arc::clone(&invocation)), &invocation);
        Ok(Run::Serve {
            ports,
            service: Arc::new(service),
        })
    }
}

enum Page {
    /// Who answers.
    Greeting,
    /// A fixed line.
    Text(String),
    /// Upstream's line, with the version of the image.
    Bootcamp,
    /// The request.
    Request,
}

struct Site {
    invocation: Arc<Invocation>,
    page: Page,
    /// The folder of pages, where a volume is mounted there.
    root: Option<String>,
}

impl Site {
    fn new(invocation: Arc<Invocation>) -> Self {
        let fixed = invocation
            .option("text")
            .or_else(|| invocation.variable("MESSAGE"))
            .map(str::to_owned);
        let page = match fixed {
            Some(text) => Page::Text(text),
            None if invocation.has_flag("bootcamp") => Page::Bootcamp,
            None if invocation.has_flag("request") => Page::Request,
            None => Page::Greeting,
        };
        let root = match invocation.option("root") {
            Some(root) => Some(root.to_owned()),
            None => ROOTS
                .iter()
                .find(|root| invocation.files.is_mounted(root))
                .map(|&root| root.to_owned()),
        };
        Self {
            invocation,
            page,
            root,
        }
    }

    fn body(&self, request: &Request<Incoming>, from: SocketAddr) -> String {
        let (pod, (repository, tag)) = (&self.invocation.pod, &self.invocation.image);
        match &self.page {
            Page::Greeting => format!("Hello from {} on {} ({repository}:{tag})\n", pod.name, pod.node),
            Page::Text(text) => format!("{text}\n"),
            Page::Bootcamp => {
                let version = tag.trim_start_matches('v');
                format!(
                    "Hello Kubernetes bootcamp! | Running on: {} | v={version}\n",
                    pod.name
                )
            }
            Page::Request => {
                let mut body = format!("Hostname: {}\n\nclient_address={}\n", pod.name, from.ip());
                let _ = writeln!(body, "method={}\nreal path={}", request.method(), request.uri());
                for (name, value) in request.headers() {
                    let _ = writeln!(body, "{name}={}", String::from_utf8_lossy(value.as_bytes()));
                }
                body
            }
        }
    }

    async fn file(&self, root: &str, path: &str) -> Response<Full<Bytes>> {
        let path = match path {
            path if path.ends_with('/') => format!("{root}{path}index.html"),
            path => format!("{root}{path}"),
        };
        match self.invocation.files.read(&path).await {
            Ok(contents) => {
                let mut response = text(StatusCode::OK, contents);
                let html = path.ends_with(".html");
                let kind = if html {
                    "text/html"
                } else {
                    "application/octet-stream"
                };
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
                response
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                text(StatusCode::NOT_FOUND, "404 Not Found\n")
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                text(StatusCode::FORBIDDEN, "403 Forbidden\n")
            }
            Err(error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("read {path}: {error}\n"),
            ),
        }
    }
}

#[async_trait]
impl Handler for Site {
    async fn answer(&self, request: &Request<Incoming>, from: SocketAddr) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if let Some(code) = path.strip_prefix("/status/") {
            let code = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            let code = code.filter(|code| code.as_u16() >= 200);
            return code.map_or_else(
                || text(StatusCode::BAD_REQUEST, "that is not a status code\n"),
                |code| text(code, format!("{code}\n")),
            );
        }
        match &self.root {
            Some(root) => self.file(root, path).await,
            None => text(StatusCode::OK, self.body(request, from)),
        }
    }
}
