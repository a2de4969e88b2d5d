//! `echo`: as an image's program, sends back what it is sent over TCP; as a command with words, prints them.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use coracle_service::BoxIo;

use crate::runtime::{
    program::{Invocation, Program, Run, Step, Usage},
    serving::{Service, Session},
};

/// The program.
pub struct Echo;

impl Program for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage> {
        let serves = !invocation.ports.is_empty() || invocation.option("port").is_some();
        let ports = if serves {
            invocation.listen_ports()?
        } else {
            Vec::new()
        };
        if !ports.is_empty() {
            return Ok(Run::Serve {
                ports,
                service: Arc::new(EchoService),
            });
        }
        let words = match invocation.arguments.split_first() {
            Some((flag, rest)) if flag == "-n" || flag == "-e" => rest,
            _ => &invocation.arguments[..],
        };
        Ok(Run::Script(vec![Step::Print(words.join(" "))]))
    }
}

struct EchoService;

#[async_trait]
impl Service for EchoService {
    async fn connection(&self, io: BoxIo, _from: SocketAddr, session: Session) {
        let (mut reader, mut writer) = tokio::io::split(io);
        tokio::select! {
            biased;
            // Either side's error ends the connection, which is all there is to do about it.
            _ = tokio::io::copy(&mut reader, &mut writer) => {}
            () = session.closing() => {}
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut writer).await;
    }
}
