//! The shell and its commands on a scratch file system: scripts, and what they print.

mod applets;
mod terminal;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    World,
    interpreter::Shell,
    run,
    stream::{Sink, Source, Streams},
};
use crate::{
    runtime::{program::Invocation, programs::tests::invocation},
    testing::Scratch,
};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A container to run scripts in.
pub struct Container {
    pub invocation: Arc<Invocation>,
    _scratch: Scratch,
}

impl Container {
    pub fn new() -> Self {
        let scratch = Scratch::new();
        Self {
            invocation: Arc::new(invocation(scratch.path())),
            _scratch: scratch,
        }
    }

    /// Runs a script with an input and answers its code, output and errors.
    pub async fn sh(&self, script: &str, input: &str) -> (i32, String, String) {
        let (output, mut printed) = mpsc::channel::<Bytes>(1024);
        let (errors, mut complained) = mpsc::channel::<Bytes>(1024);
        let streams = Streams {
            input: Source::bytes(input.as_bytes()),
            output: Sink::Pipe(output),
            errors: Sink::Pipe(errors),
        };
        let words = ["sh", "-c", script].map(str::to_owned);
        let running = run(Arc::clone(&self.invocation), None, &words, streams, 2);
        let code = tokio::time::timeout(DEADLINE, running).await.expect("it ends");
        let text = |receiver: &mut mpsc::Receiver<Bytes>| {
            let mut text = Vec::new();
            while let Ok(piece) = receiver.try_recv() {
                text.extend_from_slice(&piece);
            }
            String::from_utf8(text).expect("text")
        };
        (code, text(&mut printed), text(&mut complained))
    }

    /// Checks what a script prints; its code is 0.
    #[track_caller]
    pub fn check<'a>(&'a self, script: &'a str, expected: &'a str) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let (code, output, errors) = self.sh(script, "").await;
            assert_eq!(output, expected, "{place}: {script}: {errors}");
            assert_eq!(code, 0, "{place}: {script}: {errors}");
        }
    }
}

#[tokio::test]
async fn words_are_expanded_as_posix_has_it() {
    let c = Container::new();
    for (script, expected) in [
        ("echo a  'b  c'  \"d  e\"", "a b  c d  e\n"),
        ("A=1; B=\"$A 2\"; echo $A \"$B\" '$B' \"\\$A\"", "1 1 2 $B $A\n"),
        ("X='a  b'; for w in $X; do echo [$w]; done", "[a]\n[b]\n"),
        ("X='a  b'; for w in \"$X\"; do echo \"[$w]\"; done", "[a  b]\n"),
        (
            "echo ${A:-none} ${A=set} ${A} ${A:+yes} ${#A}",
            "none set set yes 3\n",
        ),
        (
            "F=/a/b.tar.gz; echo ${F##*/} ${F%.gz} ${F%%.*} ${F#/a}",
            "b.tar.gz /a/b.tar /a/b /b.tar.gz\n",
        ),
        ("F=a-b-c; echo ${F/-/+} ${F//-/+}", "a+b-c a+b+c\n"),
        (
            "echo $((1 + 2 * 3)) $(( (1+2)*3 % 4 )) $((1 << 4)) $((5 > 3 && 2 < 1))",
            "7 1 16 0\n",
        ),
        (
            "i=5; echo $((i++)) $i $((i += 2)) $((i == 8 ? 1 : 2))",
            "5 6 8 1\n",
        ),
        ("echo $(echo one; echo two) `echo three`", "one two three\n"),
        (
            "set -- a 'b c' d; echo $# $2; for x in \"$@\"; do echo \"<$x>\"; done; shift; echo $1",
            "3 b c\n<a>\n<b c>\n<d>\nb c\n",
        ),
        ("echo ~ ~/x", "/root /root/x\n"),
        (
            "cd /tmp; touch b.txt a.txt .c.txt; echo *.txt; echo 'a'*; echo *.none; echo \"*\"",
            "a.txt b.txt\na.txt\n*.none\n*\n",
        ),
        (
            "mkdir -p /tmp/d/e; touch /tmp/d/e/f; echo /tmp/*/e/[a-f]",
            "/tmp/d/e/f\n",
        ),
        ("echo a#b # not this", "a#b\n"),
        ("echo a \\\nb", "a b\n"),
        (
            "cat <<E\nx $((1+1)) $HOME\nE\ncat <<'E'\n$HOME\nE",
            "x 2 /root\n$HOME\n",
        ),
        ("IFS=:; X=a:b; echo $X", "a b\n"),
        ("echo $HOSTNAME $?", "web 0\n"),
    ] {
        c.check(script, expected).await;
    }
}

#[tokio::test]
async fn commands_are_joined_and_chosen() {
    let c = Container::new();
    for (script, expected) in [
        ("true && echo a || echo b; false && echo c || echo d", "a\nd\n"),
        (
            "if [ 1 -eq 2 ]; then echo x; elif [ a = a ]; then echo y; else echo z; fi",
            "y\n",
        ),
        (
            "i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done",
            "0\n1\n2\n",
        ),
        ("until false; do echo once; break; done", "once\n"),
        (
            "for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done",
            "1\n3\n",
        ),
        (
            "for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done",
            "1a\n2a\n",
        ),
        (
            "case abc.txt in *.md|x) echo md;; *.txt) echo txt;; esac",
            "txt\n",
        ),
        ("f() { echo \"f $1\"; return 3; }; f a; echo $?", "f a\n3\n"),
        ("( cd /tmp; X=1; pwd ); pwd; echo [$X]", "/tmp\n/\n[]\n"),
        ("{ echo a; echo b; } | wc -l", "2\n"),
        ("echo 'b\na\nc' | sort | head -n 2 | tr a-z A-Z", "A\nB\n"),
        ("! false; echo $?", "0\n"),
        ("(exit 3); echo $?; false | true; echo $?", "3\n0\n"),
        ("set -o pipefail; false | true; echo $?", "1\n"),
        ("X=1 env | grep ^X=; echo [$X]", "X=1\n[]\n"),
        (
            "export Y=2; sh -c 'echo $Y'; sh -c 'echo $0 $1' name arg",
            "2\nname arg\n",
        ),
        ("sleep 0.01 & wait; echo $?", "0\n"),
        ("yes | head -n 1", "y\n"),
        (
            "printf 'a\\nb\\n' | while read -r line; do echo \"<$line>\"; done",
            "<a>\n<b>\n",
        ),
        (
            "eval 'echo e'; command -v ls; type ls",
            "e\n/bin/ls\nls is /bin/ls\n",
        ),
        (
            "echo 'echo from $1' > /tmp/s.sh; sh /tmp/s.sh file; /tmp/s.sh path; . /tmp/s.sh",
            "from file\nfrom path\nfrom\n",
        ),
    ] {
        c.check(script, expected).await;
    }
}

#[tokio::test]
async fn streams_go_where_they_are_sent() {
    let c = Container::new();
    for (script, expected) in [
        (
            "echo a > /tmp/f; echo b >> /tmp/f; cat /tmp/f; wc -l < /tmp/f",
            "a\nb\n2\n",
        ),
        ("{ echo out; echo err >&2; } 2>&1 | sort", "err\nout\n"),
        ("ls /none 2>/dev/null; echo $?", "1\n"),
        (
            "echo x > /dev/null; cat /dev/null; head -c 3 /dev/zero | wc -c",
            "3\n",
        ),
        (
            "ls /none &> /tmp/e; cat /tmp/e",
            "ls: /none: No such file or directory\n",
        ),
        ("while read a b; do echo $b; done <<E\n1 2\n3 4\nE", "2\n4\n"),
    ] {
        c.check(script, expected).await;
    }
}

#[tokio::test]
async fn what_goes_wrong_has_a_code_and_a_text() {
    let c = Container::new();
    for (script, code, expected) in [
        ("exit 3", 3, ""),
        ("nothing-of-the-kind", 127, "sh: nothing-of-the-kind: not found\n"),
        ("cat /none", 1, "cat: /none: No such file or directory\n"),
        ("echo 'open", 2, "sh: syntax error: unexpected end of file\n"),
        ("if true; then", 2, "sh: syntax error: unexpected end of file\n"),
        ("echo a; )", 2, "sh: syntax error: unexpected \")\"\n"),
        ("set -e; false; echo not-this", 1, ""),
        ("set -u; echo $nothing", 2, "sh: nothing: parameter not set\n"),
        ("echo ${X:?is needed}", 2, "sh: X: is needed\n"),
        ("echo $((1/0))", 2, "sh: divide by zero\n"),
        ("ls -Q /", 1, "ls: unrecognized option: Q\n"),
        ("echo x > /etc", 1, "sh: can't create /etc: Is a directory\n"),
        (
            "cd /none",
            1,
            "cd: can't cd to /none: No such file or directory\n",
        ),
        ("f() { f; }; f", 2, "sh: too many nested commands\n"),
        (
            "echo 'sh /tmp/r.sh' > /tmp/r.sh; sh /tmp/r.sh 2>&1 | tail -n 1 >&2",
            0,
            "/tmp/r.sh: too many nested commands\n",
        ),
        ("rm /etc", 1, "rm: can't remove '/etc': Is a directory\n"),
    ] {
        let (ended, _, errors) = c.sh(script, "").await;
        assert_eq!((ended, errors.as_str()), (code, expected), "{script}");
    }
}

#[tokio::test]
async fn a_script_comes_from_the_input_line_by_line() {
    let c = Container::new();
    let (code, output, errors) = c
        .sh(
            "sh",
            "echo one\nread x\ntyped\nif true\nthen echo $x\nfi\nexit 4\necho no\n",
        )
        .await;
    assert_eq!((code, output.as_str(), errors.as_str()), (4, "one\ntyped\n", ""));
}

#[tokio::test]
async fn jobs_are_processes_that_can_be_killed() {
    let c = Container::new();
    let script = "sleep 100 & sleep 0.01; ps | grep 'sleep 100' | wc -l; kill $!; wait $!; echo $?; kill 99";
    let (code, output, errors) = c.sh(script, "").await;
    assert_eq!((code, output.as_str()), (1, "1\n137\n"), "{errors}");
    assert_eq!(errors, "kill: can't kill pid 99: No such process\n");
}

#[tokio::test]
async fn dropping_a_shell_ends_what_it_runs() {
    let c = Container::new();
    let world = World {
        invocation: Arc::clone(&c.invocation),
        interrupt: None,
    };
    let mut shell = Shell::new(Arc::new(world), 2);
    let streams = Streams {
        input: Source::empty(),
        output: Sink::Null,
        errors: Sink::Null,
    };
    let endless = shell.script("while true; do :; done | cat", &streams);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), endless)
            .await
            .is_err()
    );
}
