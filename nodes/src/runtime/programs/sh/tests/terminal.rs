//! A person before the shell: prompts, echo, editing, interrupts.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Container, DEADLINE};
use crate::runtime::programs::sh::{on_terminal, stream::Sink};

/// A person at a terminal before a command.
struct Person {
    keys: mpsc::Sender<Bytes>,
    screen: mpsc::Receiver<Bytes>,
    seen: String,
    command: tokio::task::JoinHandle<i32>,
}

impl Person {
    fn before(container: &Container, words: &[&str]) -> Self {
        let (keys, typed) = mpsc::channel(16);
        let (printed, screen) = mpsc::channel(256);
        let invocation = Arc::clone(&container.invocation);
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let command =
            tokio::spawn(
                async move { on_terminal(invocation, &words, typed, Sink::Terminal(printed), 2).await },
            );
        Self {
            keys,
            screen,
            seen: String::new(),
            command,
        }
    }

    async fn types(&self, keys: &str) {
        self.keys
            .send(Bytes::copy_from_slice(keys.as_bytes()))
            .await
            .expect("somebody reads");
    }

    /// Waits until the screen shows a text, and forgets what it showed up to there.
    async fn sees(&mut self, text: &str) {
        let seeing = async {
            loop {
                if let Some(at) = self.seen.find(text) {
                    self.seen.drain(..at + text.len());
                    return;
                }
                let piece = self.screen.recv().await.expect("there is more");
                self.seen.push_str(&String::from_utf8_lossy(&piece));
            }
        };
        let seen = tokio::time::timeout(DEADLINE, seeing).await;
        assert!(seen.is_ok(), "not seen: {text:?}; seen: {:?}", self.seen);
    }

    async fn ends(self) -> i32 {
        tokio::time::timeout(DEADLINE, self.command)
            .await
            .expect("it ends")
            .expect("without panic")
    }
}

#[tokio::test]
async fn a_shell_prompts_echoes_and_answers() {
    let container = Container::new();
    let mut person = Person::before(&container, &["sh"]);
    person.sees("/ # ").await;
    person.types("echo hxx\u{7f}\u{7f}i\r").await;
    person.sees("echo hxx\u{8} \u{8}\u{8} \u{8}i\r\nhi\r\n/ # ").await;
    person.types("cd /tmp\r").await;
    person.sees("/tmp # ").await;
    person.types("if true\r").await;
    person.sees("> ").await;
    person.types("then echo yes; fi\r").await;
    person.sees("\r\nyes\r\n/tmp # ").await;
    // The line before, from the history.
    person.types("\u{1b}[A\u{1b}[A\u{1b}[A\r").await;
    person.sees("cd /tmp\r\n").await;
    person.types("nonsense\r").await;
    person.sees("sh: nonsense: not found\r\n/tmp # ").await;
    person.types("exit 7\r").await;
    assert_eq!(person.ends().await, 7);
}

#[tokio::test]
async fn interrupts_end_the_command_and_not_the_shell() {
    let container = Container::new();
    let mut person = Person::before(&container, &["sh"]);
    person.sees("/ # ").await;
    person.types("sleep 1000\r").await;
    person.sees("sleep 1000\r\n").await;
    while !container.invocation.life.list().is_empty() && person.screen.is_empty() {
        // The command may not have begun when the key comes: then the key clears the line, and another follows.
        person.types("\u{3}").await;
        tokio::task::yield_now().await;
    }
    person.sees("^C").await;
    person.types("\recho $?\r").await;
    person.sees("130\r\n").await;
    person.types("half a li\u{3}").await;
    person.sees("^C\r\n").await;
    person.types("\u{4}").await;
    assert_eq!(person.ends().await, 0);
}

#[tokio::test]
async fn the_end_of_input_ends_a_command_and_then_the_shell() {
    let container = Container::new();
    let mut person = Person::before(&container, &["sh"]);
    person.sees("/ # ").await;
    person.types("cat\rtyped\r").await;
    person.sees("typed\r\ntyped\r\n").await;
    person.types("\u{4}").await;
    person.sees("/ # ").await;
    person.types("\u{4}").await;
    assert_eq!(person.ends().await, 0);
}
