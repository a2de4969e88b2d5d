//! Commands about the machine, its time and its processes.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::{Call, Failure, Result, code};
use crate::runtime::{
    program::{Step, wait},
    programs::sh::interpreter::assignment,
};

/// Signals by name.
const SIGNALS: [(&str, i32); 8] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("TERM", 15),
    ("CONT", 18),
];

/// `true`, `:`, `sync`, `umask`
pub async fn yes(_: Call<'_>) -> Result {
    Ok(0)
}

/// `false`
pub async fn no(_: Call<'_>) -> Result {
    Ok(1)
}

/// `clear`
pub async fn clear(call: Call<'_>) -> Result {
    call.print("\u{1b}[H\u{1b}[2J").await?;
    Ok(0)
}

/// `sleep DURATION...`
pub async fn sleep(call: Call<'_>) -> Result {
    if call.arguments.is_empty() {
        return Err(Failure::Text("missing operand".to_owned()));
    }
    let mut total = Duration::ZERO;
    for argument in call.arguments {
        match wait(argument) {
            Ok(Step::Wait(duration)) => total = total.saturating_add(duration),
            Ok(_) => std::future::pending().await,
            Err(usage) => return Err(Failure::Text(usage.0)),
        }
    }
    call.shell.world.invocation.clock.sleep(total).await;
    Ok(0)
}

/// `date [-u] [-d @SECONDS] [+FORMAT]`
pub async fn date(call: Call<'_>) -> Result {
    let parsed = call.options("ud:RI", &[])?;
    let mut now = call.shell.world.invocation.clock.now();
    if let Some(text) = parsed.value('d') {
        let seconds = text.strip_prefix('@').and_then(|text| text.parse().ok());
        let stamp = match seconds {
            Some(seconds) => Timestamp::from_second(seconds).ok(),
            None => text.parse().ok(),
        };
        now = stamp.ok_or_else(|| Failure::Text(format!("invalid date '{text}'")))?;
    }
    let format = match parsed.operands.first() {
        Some(word) => word
            .strip_prefix('+')
            .ok_or_else(|| Failure::Text(format!("invalid date '{word}'")))?,
        None if parsed.has('R') => "%a, %d %b %Y %H:%M:%S %z",
        None if parsed.has('I') => "%Y-%m-%d",
        None => "%a %b %e %H:%M:%S %Z %Y",
    };
    let nanoseconds = format!("{:09}", now.subsec_nanosecond());
    let format = format.replace("%N", &nanoseconds);
    let zoned = now.to_zoned(TimeZone::UTC);
    let text = jiff::fmt::strtime::format(format.as_bytes(), &zoned);
    let text = text.map_err(|_| Failure::Text(format!("bad format '{format}'")))?;
    call.print(text + "\n").await?;
    Ok(0)
}

/// `env [-i] [NAME=VALUE]... [COMMAND]`, `printenv [NAME]`
pub async fn env(call: Call<'_>) -> Result {
    let mut words = call.arguments;
    if call.name == "printenv" && !words.is_empty() {
        let mut missed = false;
        for name in words {
            match call.shell.variables.get(name) {
                Some(value) => call.print(format!("{value}\n")).await?,
                None => missed = true,
            }
        }
        return Ok(code(missed));
    }
    let saved = call.shell.variables.clone();
    while let Some((word, rest)) = words.split_first() {
        if word == "-i" || word == "-" {
            call.shell.variables = super::super::variables::Variables::default();
        } else if let Some((name, value)) = assignment(word) {
            call.shell.variables.set(name, value);
            call.shell.variables.export(name);
        } else {
            break;
        }
        words = rest;
    }
    let outcome = match words.split_first() {
        Some((name, arguments)) => call.shell.call(name, arguments, call.streams).await,
        None => {
            let pairs = call.shell.variables.environment().into_iter();
            let text: String = pairs.map(|(name, value)| format!("{name}={value}\n")).collect();
            call.print(text).await?;
            Ok(0)
        }
    };
    call.shell.variables = saved;
    Ok(outcome?)
}

/// `hostname [-i]`
pub async fn hostname(call: Call<'_>) -> Result {
    let parsed = call.options("ifsd", &[])?;
    let pod = &call.shell.world.invocation.pod;
    let text = match parsed.has('i') {
        true => pod.ip.to_string(),
        false => pod.hostname.to_string(),
    };
    call.print(text + "\n").await?;
    Ok(0)
}

/// `id [-u] [-g] [-n]`, `whoami`
pub async fn id(call: Call<'_>) -> Result {
    let parsed = call.options("ugnG", &[])?;
    let one = parsed.has('u') || parsed.has('g') || parsed.has('G');
    let text = match (call.name, one, parsed.has('n')) {
        ("whoami", ..) | (_, true, true) => "root\n",
        (_, true, false) => "0\n",
        _ => "uid=0(root) gid=0(root) groups=0(root)\n",
    };
    call.print(text).await?;
    Ok(0)
}

/// `uname [-amnrs]`
pub async fn uname(call: Call<'_>) -> Result {
    let parsed = call.options("amnrsvpo", &[])?;
    let host = call.shell.world.invocation.pod.hostname.to_string();
    let parts = [
        ('s', "Linux"),
        ('n', &host),
        ('r', "5.15.0-coracle"),
        ('m', std::env::consts::ARCH),
    ];
    let none = !"amnr".chars().any(|option| parsed.has(option));
    let chosen = parts
        .iter()
        .filter(|(option, _)| parsed.has('a') || parsed.has(*option) || (none && *option == 's'));
    let text: Vec<&str> = chosen.map(|(_, text)| *text).collect();
    call.print(text.join(" ") + "\n").await?;
    Ok(0)
}

/// `arch`
pub async fn arch(call: Call<'_>) -> Result {
    call.print(format!("{}\n", std::env::consts::ARCH)).await?;
    Ok(0)
}

/// `nproc`
pub async fn nproc(call: Call<'_>) -> Result {
    call.print("1\n").await?;
    Ok(0)
}

/// `uptime`
pub async fn uptime(call: Call<'_>) -> Result {
    let now = call.shell.world.invocation.clock.now().to_zoned(TimeZone::UTC);
    call.print(format!(
        " {} up 0 min,  load average: 0.00, 0.00, 0.00\n",
        now.strftime("%H:%M:%S")
    ))
    .await?;
    Ok(0)
}

/// `free`: nothing is measured, since memory is simulated.
pub async fn free(call: Call<'_>) -> Result {
    call.options("hmgk", &[])?;
    call.print("              total        used        free\nMem:              0           0           0\n")
        .await?;
    Ok(0)
}

/// `ps`
pub async fn ps(call: Call<'_>) -> Result {
    // Whatever is asked for, everything is shown.
    let mut text = "PID   USER     TIME  COMMAND\n".to_owned();
    for (pid, command) in call.shell.world.invocation.life.list() {
        text.push_str(&format!("{pid:>5} root      0:00 {command}\n"));
    }
    call.print(text).await?;
    Ok(0)
}

/// `kill [-SIGNAL] PID...`
pub async fn kill(call: Call<'_>) -> Result {
    let mut signal = 15;
    let mut words = call.arguments;
    if let Some((first, rest)) = words.split_first()
        && let Some(name) = first.strip_prefix('-')
    {
        let (name, rest) = match (name, rest.split_first()) {
            ("s", Some((name, rest))) => (name.as_str(), rest),
            _ => (name, rest),
        };
        if name == "l" {
            let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
            call.print(names.join(" ") + "\n").await?;
            return Ok(0);
        }
        let bare = name.strip_prefix("SIG").unwrap_or(name);
        let known = SIGNALS
            .iter()
            .find(|(known, _)| *known == bare)
            .map(|(_, number)| *number);
        signal = known
            .or_else(|| name.parse().ok().filter(|number| (0..=64).contains(number)))
            .ok_or_else(|| Failure::Text(format!("bad signal name '{name}'")))?;
        words = rest;
    }
    let mut failed = false;
    for word in words {
        let pid: u32 = word
            .parse()
            .map_err(|_| Failure::Text(format!("invalid number '{word}'")))?;
        let life = &call.shell.world.invocation.life;
        let done = match signal {
            // Whether there is such a process; going on changes nothing.
            0 | 18 => life.has(pid),
            signal => life.kill(pid, signal),
        };
        if !done {
            failed = true;
            call.complain(&format!("can't kill pid {pid}: No such process"))
                .await?;
        }
    }
    Ok(code(failed))
}

/// `df [-h] [PATH]...`: the container's own folder and its volumes. Sizes are not measured.
pub async fn df(call: Call<'_>) -> Result {
    let parsed = call.options("hkmTP", &[])?;
    let mut text = "Filesystem           1K-blocks      Used Available Use% Mounted on\n".to_owned();
    let mounts = call.shell.world.files().mounts();
    let wanted = |path: &str| {
        parsed.operands.is_empty()
            || parsed.operands.iter().any(|operand| {
                let asked = call.shell.path(operand);
                // The innermost mount over what was asked for.
                let over = mounts.iter().map(|(path, _)| path.as_str()).chain(["/"]);
                let inside = |mount: &&str| {
                    *mount == "/" || asked == **mount || asked.starts_with(&format!("{mount}/"))
                };
                over.filter(inside).max_by_key(|mount| mount.len()) == Some(path)
            })
    };
    let all = [("overlay", "/")].into_iter();
    let all = all.chain(mounts.iter().map(|(path, kind)| (*kind, path.as_str())));
    for (kind, path) in all {
        if wanted(path) {
            text.push_str(&format!(
                "{kind:<20} {:>9} {:>9} {:>9} {:>4} {path}\n",
                "-", "-", "-", "-"
            ));
        }
    }
    call.print(text).await?;
    Ok(0)
}
