//! The commands that are part of the shell: they read and change it.

use std::time::Duration;

use super::{Call, Failure, Result, base, code, find};
use crate::runtime::{
    program::{Step, wait as duration},
    programs::sh::{
        interpreter::{Flow, assignment},
        parser::is_name,
    },
};

/// The code of a command that took too long.
const TIMED_OUT: i32 = 143;

fn first_number(call: &Call<'_>, default: i32) -> Result<i32> {
    match call.arguments.first() {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Failure::Code(2, format!("Illegal number: {text}"))),
    }
}

/// `exit [CODE]`
pub async fn exit(call: Call<'_>) -> Result {
    let status = first_number(&call, call.shell.status)?;
    Err(Flow::Exit(status & 0xff).into())
}

/// `return [CODE]`
pub async fn give_back(call: Call<'_>) -> Result {
    let status = first_number(&call, call.shell.status)?;
    Err(Flow::Return(status & 0xff).into())
}

/// `break [N]`, `continue [N]`
pub async fn leave(call: Call<'_>) -> Result {
    let loops = u32::try_from(first_number(&call, 1)?.max(1)).unwrap_or(1);
    Err(match call.name {
        "break" => Flow::Break(loops),
        _ => Flow::Continue(loops),
    }
    .into())
}

/// `cd [DIR]`
pub async fn cd(call: Call<'_>) -> Result {
    let home = call.shell.variables.get("HOME").unwrap_or("/").to_owned();
    let target = match call.arguments.first().map(String::as_str) {
        None => home,
        Some("-") => call.shell.variables.get("OLDPWD").unwrap_or("/").to_owned(),
        Some(path) => path.to_owned(),
    };
    let path = call.shell.path(&target);
    let failed = |why: &str| Failure::Code(1, format!("can't cd to {target}: {why}"));
    match call.files().stat(&path).await {
        Ok(found) if found.is_directory => {}
        Ok(_) => return Err(failed("Not a directory")),
        Err(error) => return Err(failed(&super::reason(&error))),
    }
    let old = std::mem::replace(&mut call.shell.directory, path.clone());
    call.shell.variables.set("OLDPWD", &old);
    call.shell.variables.set("PWD", &path);
    Ok(0)
}

/// `pwd`
pub async fn pwd(call: Call<'_>) -> Result {
    call.print(format!("{}\n", call.shell.directory)).await?;
    Ok(0)
}

/// `export [NAME[=VALUE]]...`
pub async fn export(call: Call<'_>) -> Result {
    let names: Vec<&String> = call.arguments.iter().filter(|word| *word != "-p").collect();
    if names.is_empty() {
        for (name, value) in call.shell.variables.environment() {
            call.print(format!("export {name}='{value}'\n")).await?;
        }
    }
    for word in names {
        let name = match assignment(word) {
            Some((name, value)) => {
                call.shell.variables.set(name, value);
                name
            }
            None => word,
        };
        if !is_name(name) {
            return Err(Failure::Code(2, format!("{name}: bad variable name")));
        }
        call.shell.variables.export(name);
    }
    Ok(0)
}

/// `local NAME[=VALUE]...`: the variable is set; it is seen after the function too.
pub async fn local(call: Call<'_>) -> Result {
    for word in call.arguments {
        match assignment(word) {
            Some((name, value)) => call.shell.variables.set(name, value),
            None => call.shell.variables.set(word, ""),
        }
    }
    Ok(0)
}

/// `unset NAME...`
pub async fn unset(call: Call<'_>) -> Result {
    for name in call.arguments.iter().filter(|name| !name.starts_with('-')) {
        call.shell.variables.unset(name);
    }
    Ok(0)
}

/// `set [-eufx] [+eufx] [-o pipefail] [--] [WORD]...`
pub async fn set(call: Call<'_>) -> Result {
    if call.arguments.is_empty() {
        let all: Vec<String> = call
            .shell
            .variables
            .all()
            .map(|(name, value)| format!("{name}='{value}'\n"))
            .collect();
        call.print(all.concat()).await?;
        return Ok(0);
    }
    let mut words = call.arguments.iter();
    while let Some(word) = words.next() {
        let on = word.starts_with('-');
        if word == "--" || !word.starts_with(['-', '+']) || word.len() < 2 {
            let first = (word != "--").then(|| word.clone());
            call.shell.parameters = first.into_iter().chain(words.cloned()).collect();
            return Ok(0);
        }
        for letter in word[1..].chars() {
            let options = &mut call.shell.options;
            match letter {
                'e' => options.exit_on_error = on,
                'u' => options.no_unset = on,
                'x' => options.trace = on,
                'f' => options.no_wildcards = on,
                'o' => match words.next().map(String::as_str) {
                    Some("pipefail") => options.pipe_fails = on,
                    Some("errexit") => options.exit_on_error = on,
                    Some("nounset") => options.no_unset = on,
                    Some("xtrace") => options.trace = on,
                    other => {
                        let name = other.unwrap_or_default();
                        return Err(Failure::Code(2, format!("illegal option -o {name}")));
                    }
                },
                other => return Err(Failure::Code(2, format!("illegal option -{other}"))),
            }
        }
    }
    Ok(0)
}

/// `shift [N]`
pub async fn shift(call: Call<'_>) -> Result {
    let count = usize::try_from(first_number(&call, 1)?).unwrap_or(0);
    if count > call.shell.parameters.len() {
        return Ok(1);
    }
    call.shell.parameters.drain(..count);
    Ok(0)
}

/// `read [-r] [-p PROMPT] [NAME]...`
pub async fn read(call: Call<'_>) -> Result {
    let parsed = call.options("rp:s", &[])?;
    if let Some(prompt) = parsed.value('p') {
        call.streams.errors.write(prompt.as_bytes()).await?;
    }
    let line = call.streams.input.line().await?;
    let is_there = line.is_some();
    let text = String::from_utf8_lossy(&line.unwrap_or_default()).into_owned();
    let separators = call.shell.variables.get("IFS").unwrap_or(" \t\n").to_owned();
    let is_separator = |c: char| separators.contains(c);
    let mut rest = text.trim_end_matches(['\n', '\r']);
    if separators.contains(' ') {
        rest = rest.trim_matches(is_separator);
    }
    let default = ["REPLY".to_owned()];
    let names = if parsed.operands.is_empty() {
        &default[..]
    } else {
        &parsed.operands
    };
    for (at, name) in names.iter().enumerate() {
        let is_last = at + 1 == names.len();
        let (value, after) = match rest.split_once(is_separator) {
            Some((value, after)) if !is_last => (value, after.trim_start_matches(is_separator)),
            _ => (rest, ""),
        };
        call.shell.variables.set(name, value);
        rest = after;
    }
    Ok(code(!is_there))
}

/// `eval WORD...`
pub async fn eval(call: Call<'_>) -> Result {
    let script = call.arguments.join(" ");
    Ok(call.shell.source(&script, call.streams).await?)
}

/// `. FILE`
pub async fn source(call: Call<'_>) -> Result {
    let Some(file) = call.arguments.first() else {
        return Err(Failure::Code(2, "filename argument required".to_owned()));
    };
    let path = call.shell.path(file);
    let text = call
        .files()
        .read(&path)
        .await
        .map_err(|error| call.about(file, &error))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    match call.shell.source(&text, call.streams).await {
        Err(Flow::Return(status)) => Ok(status),
        outcome => Ok(outcome?),
    }
}

/// `exec COMMAND`: runs it and ends with its code.
pub async fn exec(call: Call<'_>) -> Result {
    let Some((name, arguments)) = call.arguments.split_first() else {
        return Err(Failure::Code(
            2,
            "redirections of the shell itself are not supported".to_owned(),
        ));
    };
    let status = call.shell.call(name, arguments, call.streams).await?;
    Err(Flow::Exit(status).into())
}

/// `command [-v] NAME [ARG]...`
pub async fn command(call: Call<'_>) -> Result {
    match call.arguments {
        [option, ..] if option == "-v" => which(call).await,
        [name, arguments @ ..] => Ok(super::run(call.shell, name, arguments, call.streams).await?),
        [] => Ok(0),
    }
}

/// `which NAME...`, `type NAME...`
pub async fn which(call: Call<'_>) -> Result {
    let mut missed = false;
    for name in call.arguments.iter().filter(|name| !name.starts_with('-')) {
        match find(base(name)) {
            Some(_) if call.name == "type" => call.print(format!("{name} is /bin/{name}\n")).await?,
            Some(_) => call.print(format!("/bin/{}\n", base(name))).await?,
            None if call.name == "type" => {
                missed = true;
                call.print(format!("{name}: not found\n")).await?;
            }
            None => missed = true,
        }
    }
    Ok(code(missed))
}

/// `trap`: only what changes nothing is known, since programs here get no signals.
pub async fn trap(call: Call<'_>) -> Result {
    match call.arguments {
        [] => Ok(0),
        [action, signals @ ..] if action.is_empty() || action == "-" || !signals.is_empty() => {
            call.complain("signals do not reach scripts here: the trap is never sprung")
                .await?;
            Ok(0)
        }
        _ => Ok(1),
    }
}

/// `wait [PID]...`
pub async fn wait(call: Call<'_>) -> Result {
    let wanted: Vec<u32> = call
        .arguments
        .iter()
        .filter_map(|word| word.parse().ok())
        .collect();
    let mut status = 0;
    for job in call.shell.background.clone() {
        if !wanted.is_empty() && !wanted.contains(&job.pid) {
            continue;
        }
        let mut ending = job.status.clone();
        let ended = ending
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status);
        status = if wanted.is_empty() {
            0
        } else {
            ended.unwrap_or_default()
        };
    }
    Ok(status)
}

/// `sh [-c SCRIPT [NAME [ARG]...]] [-eux] [FILE [ARG]...]`
pub async fn sh(call: Call<'_>) -> Result {
    let mut inner = call.shell.inner(call.name);
    let mut script = None;
    let mut words = call.arguments.iter().peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word.len() > 1) {
        for letter in word[1..].chars() {
            match letter {
                'c' => script = Some(String::new()),
                'e' => inner.options.exit_on_error = true,
                'u' => inner.options.no_unset = true,
                'x' => inner.options.trace = true,
                'i' | 'l' | 's' | '-' => {}
                'o' => {
                    if words.next().is_some_and(|name| name == "pipefail") {
                        inner.options.pipe_fails = true;
                    }
                }
                other => return Err(Failure::Code(2, format!("Illegal option -{other}"))),
            }
        }
    }
    let operand = words.next();
    if script.is_some() {
        let Some(text) = operand else {
            return Err(Failure::Code(2, "-c requires an argument".to_owned()));
        };
        if let Some(name) = words.next() {
            inner.name.clone_from(name);
        }
        inner.parameters = words.cloned().collect();
        return Ok(Box::pin(inner.script(text, call.streams)).await);
    }
    if let Some(file) = operand {
        let path = call.shell.path(file);
        let text = call.files().read(&path).await;
        let text = text
            .map_err(|error| Failure::Code(2, format!("can't open '{file}': {}", super::reason(&error))))?;
        inner.name.clone_from(file);
        inner.parameters = words.cloned().collect();
        return Ok(Box::pin(inner.script(&String::from_utf8_lossy(&text), call.streams)).await);
    }
    let outcome = Box::pin(inner.read_commands(call.streams)).await;
    Ok(inner.settle(outcome))
}

/// `time COMMAND`
pub async fn time(call: Call<'_>) -> Result {
    let clock = call.shell.world.invocation.clock.clone();
    let Some((name, arguments)) = call.arguments.split_first() else {
        return Ok(0);
    };
    let start = clock.monotonic();
    let status = call.shell.call(name, arguments, call.streams).await?;
    let took = (clock.monotonic() - start).as_secs_f64();
    let text = format!("real\t0m {took:.2}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n");
    call.streams.errors.write(text.as_bytes()).await?;
    Ok(status)
}

/// `timeout SECONDS COMMAND`
pub async fn timeout(call: Call<'_>) -> Result {
    let words: Vec<&String> = call
        .arguments
        .iter()
        .skip_while(|word| word.starts_with('-'))
        .collect();
    let [limit, name, ..] = words.as_slice() else {
        return Err(Failure::Text("usage: timeout SECONDS COMMAND".to_owned()));
    };
    let limit = match duration(limit) {
        Ok(Step::Wait(limit)) => limit,
        _ => Duration::MAX / 4,
    };
    let arguments: Vec<String> = words[2..].iter().map(|&word| word.clone()).collect();
    let clock = call.shell.world.invocation.clock.clone();
    let running = call.shell.call(name, &arguments, call.streams);
    match clock.timeout(limit, running).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Ok(TIMED_OUT),
    }
}
