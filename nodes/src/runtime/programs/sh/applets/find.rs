//! Commands that walk folders, or make commands of what they read.

use super::{Call, Failure, Result, base, code, files::human, number};
use crate::{runtime::programs::sh::pattern, volumes::Stat};

/// Entries that one walk visits.
const MAX_VISITED: usize = 200_000;
/// Arguments that one command of `xargs` gets, where it is not told.
const MAX_ARGUMENTS: usize = 5_000;

enum Test {
    Name(String),
    Path(String),
    Directory(bool),
    Empty,
    Larger(u64),
    Smaller(u64),
    Not,
}

enum Action {
    Print(&'static str),
    Delete,
    Run(Vec<String>),
}

struct Plan {
    roots: Vec<String>,
    tests: Vec<Test>,
    actions: Vec<Action>,
    max_depth: usize,
    min_depth: usize,
}

/// `find [PATH]... [-name P] [-path P] [-type f|d] [-empty] [-size +N|-N] [-maxdepth N] [-mindepth N] [!] [-print]
/// [-print0] [-delete] [-exec COMMAND {} ;]`
pub async fn find(call: Call<'_>) -> Result {
    let plan = plan(call.arguments)?;
    let (mut chosen, mut missed) = (Vec::new(), false);
    for root in &plan.roots {
        match call.files().stat(&call.shell.path(root)).await {
            Ok(found) => {
                for (shown, found, depth) in walk(&call, root, found, plan.max_depth).await? {
                    if depth >= plan.min_depth && accepts(&call, &plan.tests, &shown, &found).await? {
                        chosen.push(shown);
                    }
                }
            }
            Err(error) => {
                missed = true;
                call.complain(&format!("{root}: {}", super::reason(&error)))
                    .await?;
            }
        }
    }
    // What is deleted goes before the folder that it is in.
    if plan.actions.iter().any(|action| matches!(action, Action::Delete)) {
        chosen.reverse();
    }
    for shown in &chosen {
        for action in &plan.actions {
            match action {
                Action::Print(end) => call.print(format!("{shown}{end}")).await?,
                Action::Delete => {
                    let removed = call.files().remove(&call.shell.path(shown)).await;
                    removed.map_err(|error| call.about(shown, &error))?;
                }
                Action::Run(words) => {
                    let words: Vec<String> = words.iter().map(|word| word.replace("{}", shown)).collect();
                    let Some((name, arguments)) = words.split_first() else {
                        continue;
                    };
                    call.shell.call(name, arguments, call.streams).await?;
                }
            }
        }
    }
    Ok(code(missed))
}

fn plan(arguments: &[String]) -> Result<Plan> {
    let mut plan = Plan {
        roots: Vec::new(),
        tests: Vec::new(),
        actions: Vec::new(),
        max_depth: usize::MAX,
        min_depth: 0,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            let missing = || Failure::Text(format!("{word}: an argument is missing"));
            words.next().map(String::as_str).ok_or_else(missing)
        };
        match word.as_str() {
            "-name" => plan.tests.push(Test::Name(value()?.to_owned())),
            "-path" => plan.tests.push(Test::Path(value()?.to_owned())),
            "-type" => plan.tests.push(Test::Directory(value()? == "d")),
            "-empty" => plan.tests.push(Test::Empty),
            "-size" => {
                let text = value()?;
                plan.tests.push(match text.strip_prefix('-') {
                    Some(size) => Test::Smaller(number(size)?),
                    None => Test::Larger(number(text.trim_start_matches('+'))?),
                });
            }
            "-maxdepth" => plan.max_depth = usize::try_from(number(value()?)?).unwrap_or(usize::MAX),
            "-mindepth" => plan.min_depth = usize::try_from(number(value()?)?).unwrap_or(usize::MAX),
            "!" | "-not" => plan.tests.push(Test::Not),
            "-a" | "-and" => {}
            "-print" => plan.actions.push(Action::Print("\n")),
            "-print0" => plan.actions.push(Action::Print("\0")),
            "-delete" => plan.actions.push(Action::Delete),
            "-exec" => {
                let command = words.by_ref().take_while(|word| *word != ";" && *word != "+");
                plan.actions.push(Action::Run(command.cloned().collect()));
            }
            word if word.starts_with('-') => return Err(Failure::Text(format!("unrecognized: {word}"))),
            root => plan.roots.push(root.to_owned()),
        }
    }
    if plan.roots.is_empty() {
        plan.roots.push(".".to_owned());
    }
    if plan.actions.is_empty() {
        plan.actions.push(Action::Print("\n"));
    }
    Ok(plan)
}

/// What is below a path, itself first, folders before what is in them.
async fn walk(
    call: &Call<'_>,
    root: &str,
    found: Stat,
    max_depth: usize,
) -> Result<Vec<(String, Stat, usize)>> {
    let mut waiting = vec![(root.to_owned(), found, 0)];
    let mut visited = Vec::new();
    while let Some((shown, found, depth)) = waiting.pop() {
        if visited.len() >= MAX_VISITED {
            return Err(Failure::Text("there are too many files".to_owned()));
        }
        if found.is_directory && depth < max_depth {
            let mut entries = call.files().list(&call.shell.path(&shown)).await?;
            entries.sort_by(|a, b| b.0.cmp(&a.0));
            for (name, inner) in entries {
                waiting.push((
                    format!("{}/{name}", shown.trim_end_matches('/')),
                    inner,
                    depth + 1,
                ));
            }
        }
        visited.push((shown, found, depth));
    }
    Ok(visited)
}

async fn accepts(call: &Call<'_>, tests: &[Test], shown: &str, found: &Stat) -> Result<bool> {
    let mut turned = false;
    for test in tests {
        let holds = match test {
            Test::Not => {
                turned = true;
                continue;
            }
            Test::Name(name) => pattern::fits(name, base(shown)),
            Test::Path(path) => pattern::fits(path, shown),
            Test::Directory(wanted) => found.is_directory == *wanted,
            Test::Empty if found.is_directory => call.files().list(&call.shell.path(shown)).await?.is_empty(),
            Test::Empty => found.size_bytes == 0,
            Test::Larger(size) => found.size_bytes > *size,
            Test::Smaller(size) => found.size_bytes < *size,
        };
        if holds == std::mem::take(&mut turned) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `du [-hs] [PATH]...`
pub async fn du(call: Call<'_>) -> Result {
    let parsed = call.options("hsakd:", &[])?;
    let default = [".".to_owned()];
    let operands = if parsed.operands.is_empty() {
        &default[..]
    } else {
        &parsed.operands
    };
    for operand in operands {
        let found = call.files().stat(&call.shell.path(operand)).await;
        let found = found.map_err(|error| call.about(operand, &error))?;
        let all = walk(&call, operand, found, usize::MAX).await?;
        let shown = all.iter().rev().filter(|(path, found, _)| {
            path == operand || (!parsed.has('s') && (found.is_directory || parsed.has('a')))
        });
        for (path, _, _) in shown {
            let inside = format!("{}/", path.trim_end_matches('/'));
            let bytes: u64 = all
                .iter()
                .filter(|(other, found, _)| {
                    !found.is_directory && (other == path || other.starts_with(&inside))
                })
                .map(|(_, found, _)| found.size_bytes.div_ceil(4096) * 4096)
                .sum();
            let size = if parsed.has('h') {
                human(bytes)
            } else {
                (bytes / 1024).to_string()
            };
            call.print(format!("{size}\t{path}\n")).await?;
        }
    }
    Ok(0)
}

/// `xargs [-0r] [-n N] [-I STRING] [COMMAND]`
pub async fn xargs(call: Call<'_>) -> Result {
    let own = call.arguments.iter().position(|word| !word.starts_with('-'));
    // A value of an option may stand alone, as in `-n 1`.
    let mut end = own.unwrap_or(call.arguments.len());
    while end > 0
        && end < call.arguments.len()
        && matches!(call.arguments[end - 1].as_str(), "-n" | "-I" | "-P")
    {
        end += 1;
        end += call.arguments[end..]
            .iter()
            .take_while(|word| word.starts_with('-'))
            .count();
    }
    let parsed = super::Parsed::of(&call.arguments[..end], "0rtn:I:P:", &[])?;
    let echo = ["echo".to_owned()];
    let words = if end < call.arguments.len() {
        &call.arguments[end..]
    } else {
        &echo[..]
    };
    let input = String::from_utf8_lossy(&call.streams.input.all().await?).into_owned();
    let items: Vec<String> = match (parsed.has('0'), parsed.has('I')) {
        (true, _) => input
            .split('\0')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
        (_, true) => input
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect(),
        _ => input
            .split_whitespace()
            .map(|item| item.trim_matches(['"', '\'']).to_owned())
            .collect(),
    };
    if items.is_empty() && (parsed.has('r') || parsed.has('I')) {
        return Ok(0);
    }
    let mut commands: Vec<Vec<String>> = Vec::new();
    if let Some(mark) = parsed.value('I') {
        commands.extend(
            items
                .iter()
                .map(|item| words.iter().map(|word| word.replace(mark, item)).collect()),
        );
    } else {
        let count = parsed
            .number('n')?
            .map_or(MAX_ARGUMENTS, |count| usize::try_from(count).unwrap_or(1).max(1));
        commands.extend(items.chunks(count).map(|chunk| [words, chunk].concat()));
        if items.is_empty() {
            commands.push(words.to_vec());
        }
    }
    let mut status = 0;
    for command in commands {
        let Some((name, arguments)) = command.split_first() else {
            continue;
        };
        let ended = call.shell.call(name, arguments, call.streams).await?;
        if ended != 0 {
            status = 123;
        }
    }
    Ok(status)
}

/// The files at and below the operands, for commands that search folders.
pub async fn all_files(call: &Call<'_>, operands: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for operand in operands {
        match call.files().stat(&call.shell.path(operand)).await {
            Ok(found) if found.is_directory => {
                let inside = walk(call, operand, found, usize::MAX).await?;
                all.extend(
                    inside
                        .into_iter()
                        .filter(|(_, found, _)| !found.is_directory)
                        .map(|(path, ..)| path),
                );
            }
            // Whoever opens it says what is wrong.
            _ => all.push(operand.clone()),
        }
    }
    Ok(all)
}
