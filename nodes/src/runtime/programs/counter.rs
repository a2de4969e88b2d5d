//! `counter`: counts requests in a file, and answers a number only when that number is durable.
//!
//! GET or POST `/` counts and answers the new number; GET `/value` answers the present one. The file is `--file`, else
//! `COUNTER_FILE`, else `/data/count`. Requests that arrive while a number is being written share the next write.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Mutex;

use crate::runtime::{
    http::{Handler, HttpService, text},
    program::{Invocation, Program, Run, Usage},
};

/// Where the number is kept unless something else is said.
const DEFAULT_FILE: &str = "/data/count";

/// The program.
pub struct Counter;

impl Program for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let ports = invocation.listen_ports()?;
        let file = invocation
            .option("file")
            .or_else(|| invocation.variable("COUNTER_FILE"))
            .unwrap_or(DEFAULT_FILE);
        let tally = Tally {
            path: file.to_owned(),
            invocation: Arc::clone(&invocation),
            durable: Mutex::new(None),
            waiting: AtomicU64::new(0),
        };
        let service = HttpService::new(tally, &invocation);
        Ok(Run::Serve {
            ports,
            service: Arc::new(service),
        })
    }
}

struct Tally {
    path: String,
    invocation: Arc<Invocation>,
    /// The number in the file, once it was read; locked while the file is read or written.
    durable: Mutex<Option<Known>>,
    /// Requests that have taken a ticket since the process started.
    waiting: AtomicU64,
}

#[derive(Clone, Copy)]
struct Known {
    /// The number at the start of this process.
    base: u64,
    /// How many tickets the file covers.
    tickets: u64,
}

impl Tally {
    async fn count(&self) -> io::Result<u64> {
        let ticket = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        let mut durable = self.durable.lock().await;
        let known = self.known(&mut durable).await?;
        if known.tickets < ticket {
            // Everyone who has a ticket by now is covered by this one write.
            let tickets = self.waiting.load(Ordering::Relaxed);
            self.invocation
                .files
                .replace(&self.path, format!("{}\n", known.base + tickets).into_bytes())
                .await?;
            *durable = Some(Known { tickets, ..known });
        }
        Ok(known.base + ticket)
    }

    async fn value(&self) -> io::Result<u64> {
        let known = self.known(&mut *self.durable.lock().await).await?;
        Ok(known.base + known.tickets)
    }

    async fn known(&self, durable: &mut Option<Known>) -> io::Result<Known> {
        if let Some(known) = *durable {
            return Ok(known);
        }
        let base = match self.invocation.files.read(&self.path).await {
            Ok(contents) => std::str::from_utf8(&contents)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("{} holds no number", self.path),
                    )
                })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let known = Known { base, tickets: 0 };
        *durable = Some(known);
        Ok(known)
    }
}

#[async_trait]
impl Handler for Tally {
    async fn answer(&self, request: &Request<Incoming>, _from: SocketAddr) -> Response<Full<Bytes>> {
        let outcome = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::POST, "/") => self.count().await,
            (&Method::GET, "/value") => self.value().await,
            (&Method::GET, "/healthz") => return text(StatusCode::OK, "ok\n"),
            _ => return text(StatusCode::NOT_FOUND, "404 Not Found\n"),
        };
        match outcome {
            Ok(number) => text(StatusCode::OK, format!("{number}\n")),
            Err(error) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("count in {}: {error}\n", self.path),
            ),
        }
    }
}
