//! Transcripts: what a person types and what the cluster answers, as a text file that a test plays.
//!
//! ```text
//! # What this part shows.
//! $ kubectl create namespace shop
//! namespace/shop created
//! $ kubectl get namespace nowhere
//! Error from server (NotFound): namespaces "nowhere" not found
//! ? 1
//! ```
//!
//! A line that begins with `$ ` is a command for `sh`, `> ` continues it, `? ` tells its exit status where that is not
//! zero. What follows is its standard output and error together, after [`normalize`] has taken out what differs from
//! run to run. In an expectation `[..]` stands for any text of a line and a line `...` for any lines. With
//! `CORACLE_RECORD` set the answers are written into the file instead of being compared.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use coracle_testing::{Cluster, coracle_binary};
use regex::Regex;
use tokio::process::Command;

/// In an expectation: any text within a line.
const ANY_TEXT: &str = "[..]";

/// One command and its answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The comment and blank lines before it.
    pub before: Vec<String>,
    /// The command, its lines joined.
    pub command: String,
    /// The lines of its answer.
    pub answer: Vec<String>,
    /// Its exit status.
    pub status: i32,
}

/// Plays a transcript on a fresh cluster.
///
/// # Errors
/// Where an answer differs: the whole difference, command by command.
pub async fn play(path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let (mut steps, end) = parse(&text);
    ensure!(!steps.is_empty(), "{} has no commands", path.display());
    let cluster = Cluster::start().await?;
    let mut differences = String::new();
    for step in &mut steps {
        let (answer, status) = run(&cluster, &step.command).await?;
        if !fits(&step.answer, &answer) || status != step.status {
            writeln!(differences, "$ {}", step.command)?;
            writeln!(differences, "expected (status {}):", step.status)?;
            step.answer
                .iter()
                .try_for_each(|line| writeln!(differences, "- {line}"))?;
            writeln!(differences, "answered (status {status}):")?;
            answer
                .iter()
                .try_for_each(|line| writeln!(differences, "+ {line}"))?;
            (step.answer, step.status) = (answer, status);
        }
    }
    if is_recording() {
        std::fs::write(path, print(&steps, &end))?;
    } else {
        ensure!(differences.is_empty(), "{}:\n{differences}", path.display());
    }
    cluster.stop().await
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is how a person asks for a recording"
)]
fn is_recording() -> bool {
    std::env::var_os("CORACLE_RECORD").is_some()
}

async fn run(cluster: &Cluster, command: &str) -> anyhow::Result<(Vec<String>, i32)> {
    let binary = coracle_binary()?;
    let script = format!(
        "coracle() {{ {binary:?} \"$@\" --name=test --data-dir={:?}; }}\n{{ {command}\n}} 2>&1",
        cluster.dir()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(crate::checkout())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", cluster.dir().join("kubectl-cache"))
        .env("KUBE_EDITOR", "true")
        .env("LC_ALL", "C")
        .kill_on_drop(true)
        .output()
        .await
        .context("run bash")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = normalize(&text);
    Ok((lines, output.status.code().unwrap_or(-1)))
}

/// Takes out what differs from run to run: ages, times, addresses, UIDs, revisions, drawn names, column widths; and
/// empty lines.
#[must_use]
pub fn normalize(text: &str) -> Vec<String> {
    let rules = [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "<uid>",
        ),
        (
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
            "<time>",
        ),
        (
            r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
            "<time>",
        ),
        (r"\b(127|10)\.\d+\.\d+\.\d+\b", "<ip>"),
        (r"<ip>:\d+", "<ip>:<port>"),
        (r#"(resourceVersion"?: ?"?)\d+"#, "${1}<revision>"),
        (
            r"-[b-df-hj-np-tv-z2-9]{8,10}-[b-df-hj-np-tv-z2-9]{5}\b",
            "-<hash>-<id>",
        ),
        (r"(pod-template-hash=)[b-df-hj-np-tv-z2-9]{8,10}", "${1}<hash>"),
        (
            r"(replicaset\.apps/[a-z-]+|ReplicaSet/[a-z-]+)-[b-df-hj-np-tv-z2-9]{8,10}\b",
            "${1}-<hash>",
        ),
        (
            r"(\s)(<invalid>|(\d+d)?(\d+h)?(\d+m)?\d+s|\d+m|\d+h)(\s|\)|$)",
            "${1}<age>${6}",
        ),
        (r"[ \t]+", " "),
    ];
    let mut text = text.to_owned();
    for (pattern, with) in rules {
        let Ok(pattern) = Regex::new(pattern) else {
            unreachable!("the patterns above are well-formed")
        };
        // An age may be followed by another that shares the space between them.
        text = pattern.replace_all(&text, with).into_owned();
        text = pattern.replace_all(&text, with).into_owned();
    }
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Whether an answer is what was expected, wildcards included.
#[must_use]
pub fn fits(expected: &[String], answer: &[String]) -> bool {
    match expected.split_first() {
        None => answer.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=answer.len()).any(|skipped| fits(rest, &answer[skipped..]))
        }
        Some((first, rest)) => answer
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others)),
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let Some((first, others)) = expected.split_once(ANY_TEXT) else {
        return expected == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let (between, last) = others.rsplit_once(ANY_TEXT).unwrap_or(("", others));
    for part in between.split(ANY_TEXT) {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The steps of a transcript, and the lines after the last.
#[must_use]
pub fn parse(text: &str) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut before) = (Vec::<Step>::new(), Vec::new());
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                before: std::mem::take(&mut before),
                command: command.to_owned(),
                ..Step::default()
            });
            continue;
        }
        let step = steps.last_mut().filter(|_| before.is_empty());
        match step {
            Some(step) if line.starts_with("> ") && step.answer.is_empty() => {
                step.command.push('\n');
                step.command.push_str(&line[2..]);
            }
            Some(step) if line.starts_with("? ") => step.status = line[2..].parse().unwrap_or(-1),
            Some(step) if !line.is_empty() && !line.starts_with("# ") => step.answer.push(line.to_owned()),
            _ => before.push(line.to_owned()),
        }
    }
    (steps, before)
}

/// The transcript as text.
#[must_use]
pub fn print(steps: &[Step], end: &[String]) -> String {
    let mut lines = Vec::new();
    for step in steps {
        lines.extend(step.before.iter().cloned());
        lines.push(format!("$ {}", step.command.replace('\n', "\n> ")));
        lines.extend(step.answer.iter().cloned());
        if step.status != 0 {
            lines.push(format!("? {}", step.status));
        }
    }
    lines.extend(end.iter().cloned());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_again() {
        let text = "# A part.\n\n$ cat <<E\n> a\n> E\na\n$ false\n? 1\n\n# The end.\n";
        let (steps, end) = parse(text);
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].command, "cat <<E\na\nE");
        assert_eq!(
            (steps[0].answer.as_slice(), steps[1].status),
            (&["a".to_owned()][..], 1)
        );
        assert_eq!(print(&steps, &end), text);
    }

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(normalize(text).join("\n"), expected);
        check(
            "web-5d59d67564-abcde   1/1     Running   0          3m2s",
            "web-5d59d67564-abcde 1/1 Running 0 <age>",
        );
        check(
            "web-5d59d67564-b8cdf   1/1   0   5s",
            "web-<hash>-<id> 1/1 0 <age>",
        );
        check(
            "kubernetes   ClusterIP   127.32.0.1   <none>   443/TCP   10s",
            "kubernetes ClusterIP <ip> <none> 443/TCP <age>",
        );
        check("  resourceVersion: \"12\"", " resourceVersion: \"<revision>\"");
        check(
            "creationTimestamp: \"2026-01-02T03:04:05Z\"",
            "creationTimestamp: \"<time>\"",
        );
    }

    #[test]
    fn wildcards_stand_for_text_and_for_lines() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let check = |expected: &str, answer: &str, fit: bool| {
            assert_eq!(
                fits(&lines(expected), &lines(answer)),
                fit,
                "{expected} / {answer}"
            );
        };
        check("a [..] c", "a b c", true);
        check("a [..] c", "a b d", false);
        check("a\n...\nd", "a\nb\nc\nd", true);
        check("a\n...\nd", "a\nb", false);
        check("a", "a\nb", false);
    }
}
