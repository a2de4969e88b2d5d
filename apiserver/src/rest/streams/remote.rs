//! A command in a container, as the node runs it: one gRPC stream, and what its end means for the client.

use bytes::Bytes;
use coracle_api::ApiError;
use coracle_proto::v1::{
    ExecOpen, ExecRequest, ExecResponse, StdinClose, TerminalSize, exec_request::Message as Ask,
    exec_response::Message as Answer, node_service_client::NodeServiceClient,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::rest::logs::from_node;

/// Messages that wait to be sent to the node.
const QUEUE: usize = 16;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// Input.
    Stdin(Bytes),
    /// There will be no more input.
    CloseStdin,
    /// The client's terminal has another size.
    Resize(u32, u32),
}

/// What a client is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outbound {
    /// Output.
    Stdout(Bytes),
    /// Errors.
    Stderr(Bytes),
    /// How it ended, as a Kubernetes Status: the last.
    End(Value),
}

/// The way to the command.
#[derive(Clone)]
pub(super) struct Sender(mpsc::Sender<ExecRequest>);

/// What comes from the command.
pub(super) struct Receiver {
    answers: Option<Streaming<ExecResponse>>,
    ended: Option<Status>,
}

/// See the module.
pub(super) struct Remote {
    /// To the command.
    pub(super) sender: Sender,
    /// From the command.
    pub(super) receiver: Receiver,
    /// What it was opened with.
    pub(super) open: ExecOpen,
}

impl Remote {
    /// Starts a command. One that could not be started is told as its end, as upstream does it.
    ///
    /// # Errors
    /// What the node refuses before it tried.
    pub(super) async fn open(
        mut client: NodeServiceClient<Channel>,
        open: ExecOpen,
    ) -> Result<Self, ApiError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let first = ExecRequest {
            message: Some(Ask::Open(open.clone())),
        };
        // The queue is empty and its receiver is at hand.
        let _ = sender.send(first).await;
        let (answers, ended) = match client.exec(ReceiverStream::new(receiver)).await {
            Ok(answers) => (Some(answers.into_inner()), None),
            Err(status) if status.code() == Code::Internal => (None, Some(status)),
            Err(status) => return Err(from_node("exec", &status)),
        };
        Ok(Self {
            sender: Sender(sender),
            receiver: Receiver { answers, ended },
            open,
        })
    }
}

impl Sender {
    /// Hands on what the client sent; false where the command is gone.
    pub(super) async fn send(&self, inbound: Inbound) -> bool {
        let message = match inbound {
            Inbound::Stdin(data) => Ask::Stdin(data),
            Inbound::CloseStdin => Ask::CloseStdin(StdinClose {}),
            Inbound::Resize(width, height) => Ask::Resize(TerminalSize { width, height }),
        };
        let request = ExecRequest {
            message: Some(message),
        };
        self.0.send(request).await.is_ok()
    }
}

impl Receiver {
    /// What comes next; `None` after the end.
    pub(super) async fn next(&mut self) -> Option<Outbound> {
        if let Some(status) = self.ended.take() {
            return Some(Outbound::End(broken(&status)));
        }
        let answer = match self.answers.as_mut()?.message().await {
            Ok(Some(answer)) => answer.message?,
            Ok(None) => return self.end(broken(&Status::unavailable("the node ended the stream"))),
            Err(status) => return self.end(broken(&status)),
        };
        match answer {
            Answer::Stdout(data) => Some(Outbound::Stdout(data)),
            Answer::Stderr(data) => Some(Outbound::Stderr(data)),
            Answer::Exit(exit) => self.end(exited(exit.code)),
        }
    }

    fn end(&mut self, status: Value) -> Option<Outbound> {
        self.answers = None;
        Some(Outbound::End(status))
    }
}

/// The Status of a command that ended with a code.
fn exited(code: i32) -> Value {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" });
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// The Status of a command that the node lost or could not start.
fn broken(status: &Status) -> Value {
    let message = format!("error executing command in container: {}", status.message());
    json!({
        "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: {message}"),
        "details": { "causes": [{ "message": message }] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_as_kubectl_reads_them() {
        assert_eq!(exited(0)["status"], "Success");
        let failed = exited(3);
        assert_eq!(failed["reason"], "NonZeroExitCode");
        assert_eq!(
            failed["details"]["causes"][0],
            json!({ "reason": "ExitCode", "message": "3" })
        );
    }
}
