//! Runs commands in containers, and joins those that run there, with streams both ways.
//!
//! Promises: what is not read by the client is not written by the command; a client that goes away ends the command,
//! and so does the container's end; the exit code comes after all output.

use std::sync::Arc;

use bytes::Bytes;
use coracle_proto::v1::{
    ExecExit, ExecOpen, ExecRequest, ExecResponse, exec_request::Message as Ask,
    exec_response::Message as Answer,
};
use coracle_service::Shutdown;
use futures::StreamExt;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, oneshot,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Answers, Server};
use crate::{
    logs::reader::{Reader, Selection},
    pods::inbox::{LogQuery, Message, QueryError},
    runtime::{
        console::Console,
        life::Process,
        program::Invocation,
        programs::sh::{
            self,
            stream::{PIPE_CHUNKS, Sink, Source, Streams},
        },
    },
};

/// Answers that wait to be sent.
const QUEUE: usize = 16;
/// What a client is told whose command does not exist begins with this.
const NOT_STARTED: &str = "OCI runtime exec failed: exec failed: unable to start container process: exec:";

type Sending = mpsc::Sender<Result<ExecResponse, Status>>;

impl Server {
    pub(super) async fn stream_exec(
        &self,
        mut requests: Streaming<ExecRequest>,
    ) -> Result<Answers<ExecResponse>, Status> {
        let open = match requests.next().await.transpose()? {
            Some(ExecRequest {
                message: Some(Ask::Open(open)),
            }) => open,
            _ => return Err(Status::invalid_argument("the first message must be `open`")),
        };
        let invocation = self.enter(&open).await?;
        if !open.attach {
            let word = open.command.first().map_or("", String::as_str);
            if !sh::exists(&invocation, word).await {
                let text = format!("{NOT_STARTED} {word:?}: executable file not found in $PATH: unknown");
                return Err(Status::internal(text));
            }
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let spawn = self.env.spawn;
        spawn.task("exec", async move {
            let served = async {
                match open.attach {
                    true => attach(&open, &invocation, requests, &sender, spawn).await,
                    false => execute(&open, invocation, requests, &sender).await,
                }
            };
            tokio::select! {
                biased;
                () = sender.closed() => {}
                () = served => {}
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    async fn enter(&self, open: &ExecOpen) -> Result<Arc<Invocation>, Status> {
        let query = LogQuery {
            namespace: open.namespace.clone(),
            pod: open.pod.clone(),
            uid: open.pod_uid.clone(),
            container: open.container.clone(),
            previous: false,
        };
        let (reply, answer) = oneshot::channel();
        let ended = || Status::unavailable("the node is shutting down");
        self.manager
            .send(Message::Enter(query, reply))
            .await
            .map_err(|_| ended())?;
        let entered = answer.await.map_err(|_| ended())?;
        let entered = entered.map_err(|error| match error {
            QueryError::NoPod(_) | QueryError::NoInstance(_) => Status::not_found(error.to_string()),
            QueryError::NoContainer(_) => Status::invalid_argument(error.to_string()),
        })?;
        Ok(entered.invocation)
    }
}

/// What a command prints until somebody sends it.
struct Printed {
    output: mpsc::Receiver<Bytes>,
    errors: mpsc::Receiver<Bytes>,
}

impl Printed {
    /// Sends what comes, for as long as anything may.
    async fn send(&mut self, sender: &Sending) {
        loop {
            let answer = tokio::select! {
                biased;
                Some(data) = self.output.recv() => Answer::Stdout(data),
                Some(data) = self.errors.recv() => Answer::Stderr(data),
                else => return,
            };
            if !say(sender, answer).await {
                return;
            }
        }
    }

    /// Sends what is there.
    async fn drain(&mut self, sender: &Sending) {
        while let Ok(data) = self.output.try_recv() {
            say(sender, Answer::Stdout(data)).await;
        }
        while let Ok(data) = self.errors.try_recv() {
            say(sender, Answer::Stderr(data)).await;
        }
    }
}

async fn say(sender: &Sending, answer: Answer) -> bool {
    let answer = ExecResponse {
        message: Some(answer),
    };
    sender.send(Ok(answer)).await.is_ok()
}

async fn execute(
    open: &ExecOpen,
    invocation: Arc<Invocation>,
    requests: Streaming<ExecRequest>,
    sender: &Sending,
) {
    let process = invocation
        .life
        .processes
        .start(&open.command.join(" "), &invocation.life.ended);
    let (output, output_end) = mpsc::channel(PIPE_CHUNKS);
    let (errors, errors_end) = mpsc::channel(PIPE_CHUNKS);
    let (typing, typed) = mpsc::channel(PIPE_CHUNKS);
    let mut printed = Printed {
        output: output_end,
        errors: errors_end,
    };
    let running = run(open, invocation, &process, typed, [output, errors]);
    let code = {
        let feeding = feed(requests, Some(typing));
        tokio::pin!(running, feeding);
        tokio::select! {
            biased;
            code = &mut running => Some(code),
            () = printed.send(sender) => Some(running.await),
            () = &mut feeding => None,
        }
    };
    let Some(code) = code else { return };
    printed.drain(sender).await;
    say(sender, Answer::Exit(ExecExit { code })).await;
}

async fn run(
    open: &ExecOpen,
    invocation: Arc<Invocation>,
    process: &Process,
    typed: mpsc::Receiver<Bytes>,
    [output, errors]: [mpsc::Sender<Bytes>; 2],
) -> i32 {
    let (end, pid): (Shutdown, u32) = (process.end_signal(), process.pid());
    let command = &open.command;
    let running = async {
        if open.tty {
            return sh::on_terminal(invocation, command, typed, Sink::Terminal(output), pid).await;
        }
        let streams = Streams {
            input: if open.stdin {
                Source::pipe(typed)
            } else {
                Source::empty()
            },
            output: if open.stdout {
                Sink::Pipe(output)
            } else {
                Sink::Null
            },
            errors: if open.stderr {
                Sink::Pipe(errors)
            } else {
                Sink::Null
            },
        };
        sh::run(invocation, None, command, streams, pid).await
    };
    end.guard(running).await.unwrap_or(sh::KILLED)
}

/// Hands on what the client types. Ends where the client is gone, and not where it only has nothing more to say.
async fn feed(mut requests: Streaming<ExecRequest>, mut typing: Option<mpsc::Sender<Bytes>>) {
    while let Some(request) = requests.next().await {
        match request.map(|request| request.message) {
            Ok(Some(Ask::Stdin(data))) => {
                if let Some(pipe) = &typing
                    && pipe.send(data).await.is_err()
                {
                    // The command reads no more, and may print on.
                    typing = None;
                }
            }
            Ok(Some(Ask::CloseStdin(_))) => typing = None,
            // No program here asks how large the terminal is.
            Ok(Some(Ask::Resize(_))) => {}
            Ok(Some(Ask::Open(_)) | None) | Err(_) => return,
        }
    }
    drop(typing);
    std::future::pending::<()>().await;
}

async fn attach(
    open: &ExecOpen,
    invocation: &Invocation,
    requests: Streaming<ExecRequest>,
    sender: &Sending,
    spawn: coracle_service::Spawn,
) {
    let console = invocation.life.console();
    let typing = console
        .as_ref()
        .filter(|_| open.stdin)
        .and_then(|console| console.typing());
    let printing = async {
        match &console {
            Some(console) => follow_console(console, &invocation.life.ended, sender).await,
            None => follow_log(invocation, sender, spawn).await,
        }
        say(sender, Answer::Exit(ExecExit { code: 0 })).await;
    };
    tokio::select! {
        biased;
        () = printing => {}
        () = feed_attached(requests, typing, console.as_ref().filter(|_| open.stdin && invocation.stdin_once)) => {}
    }
}

/// As [`feed`]; the end of the client's input is the command's where it is to be read once.
async fn feed_attached(
    requests: Streaming<ExecRequest>,
    typing: Option<mpsc::Sender<Bytes>>,
    once: Option<&Arc<Console>>,
) {
    struct Close<'a>(Option<&'a Arc<Console>>);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            if let Some(console) = self.0 {
                console.close_input();
            }
        }
    }
    let close = Close(once);
    let mut requests = requests;
    let mut typing = typing;
    while let Some(request) = requests.next().await {
        match request.map(|request| request.message) {
            Ok(Some(Ask::Stdin(data))) => {
                if let Some(pipe) = &typing
                    && pipe.send(data).await.is_err()
                {
                    typing = None;
                }
            }
            Ok(Some(Ask::CloseStdin(_))) => {
                typing = None;
                if let Some(console) = once {
                    console.close_input();
                }
            }
            Ok(Some(Ask::Resize(_))) => {}
            Ok(Some(Ask::Open(_)) | None) | Err(_) => return,
        }
    }
    drop((typing, close));
    std::future::pending::<()>().await;
}

async fn follow_console(console: &Console, ended: &Shutdown, sender: &Sending) {
    let mut printed = console.printed();
    let returned = |data: Bytes| match console.has_terminal {
        true => sh::stream::with_returns(&data).into(),
        false => data,
    };
    loop {
        match ended.guard(printed.recv()).await {
            Some(Ok(data)) => {
                if !say(sender, Answer::Stdout(returned(data))).await {
                    return;
                }
            }
            // What was missed is in the log.
            Some(Err(RecvError::Lagged(_))) => {}
            Some(Err(RecvError::Closed)) | None => break,
        }
    }
    loop {
        match printed.try_recv() {
            Ok(data) => {
                say(sender, Answer::Stdout(returned(data))).await;
            }
            Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(_) => return,
        }
    }
}

/// What a program without a console prints is in its log.
async fn follow_log(invocation: &Invocation, sender: &Sending, spawn: coracle_service::Spawn) {
    let log = Arc::clone(&invocation.log);
    let selection = Selection {
        tail: Some(0),
        ..Selection::default()
    };
    let Ok(Ok(mut reader)) = spawn.blocking(move || Reader::open(log, selection)).await else {
        return;
    };
    loop {
        let next = spawn.blocking(move || {
            let chunk = reader.next_chunk();
            (reader, chunk)
        });
        let Ok((back, Ok(chunk))) = next.await else { return };
        reader = back;
        let Some(data) = chunk else {
            if reader.is_exhausted() || !reader.changed().await {
                return;
            }
            continue;
        };
        if !say(sender, Answer::Stdout(data.into())).await {
            return;
        }
    }
}
