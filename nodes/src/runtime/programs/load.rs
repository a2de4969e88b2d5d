//! `load`: answers `OK!` to every request, each of which is said to cost CPU: for trying out autoscalers.
//!
//! Options: `--port N` or `PORT`; `--cpu DURATION` or `CPU_PER_REQUEST`, the CPU time of a request (100 ms where nothing
//! is said). Nothing is really burnt: what the container uses, as `kubectl top` shows it, follows from the requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::runtime::{
    http::{Handler, HttpService, text},
    program::{Invocation, Program, Run, Step, Usage, wait},
};

/// What a request costs where nothing is said.
const COST: Duration = Duration::from_millis(100);

/// The program.
pub struct Load;

impl Program for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let asked = invocation
            .option("cpu")
            .or_else(|| invocation.variable("CPU_PER_REQUEST"));
        let cost = match asked.map(wait).transpose()? {
            Some(Step::Wait(cost)) => cost,
            Some(_) => return Err(Usage("load: a request costs a limited time".to_owned())),
            None => COST,
        };
        let service = HttpService::new(Work { cost }, &invocation);
        Ok(Run::Serve {
            ports: invocation.listen_ports()?,
            service: Arc::new(service),
        })
    }
}

struct Work {
    cost: Duration,
}

#[async_trait]
impl Handler for Work {
    async fn answer(&self, _request: &Request<Incoming>, _from: SocketAddr) -> Response<Full<Bytes>> {
        text(StatusCode::OK, "OK!")
    }

    fn cost(&self) -> Duration {
        self.cost
    }
}
