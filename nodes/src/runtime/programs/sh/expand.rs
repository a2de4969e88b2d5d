//! What becomes of words before a command sees them: parameters, command substitution, arithmetic, splitting,
//! wildcards.

use futures::future::BoxFuture;

use super::{
    arithmetic,
    interpreter::{Flow, Shell},
    parser::is_name,
    pattern,
    stream::Streams,
    syntax::{Change, Part, Word},
};

/// The most fields that a word becomes.
const MAX_FIELDS: usize = 100_000;

/// A field in the making: characters, each with whether it is quoted.
#[derive(Clone, Debug, Default)]
struct Field {
    characters: Vec<(char, bool)>,
    /// It counts even where it is empty.
    is_there: bool,
}

impl Field {
    fn push(&mut self, text: &str, quoted: bool) {
        self.characters.extend(text.chars().map(|c| (c, quoted)));
        self.is_there |= quoted || !text.is_empty();
    }

    fn text(&self) -> String {
        self.characters.iter().map(|(c, _)| c).collect()
    }

    /// As a pattern, in which what was quoted is plain.
    fn pattern(&self) -> String {
        let mut pattern = String::new();
        for &(c, quoted) in &self.characters {
            if quoted && "*?[]\\".contains(c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern
    }
}

impl Shell {
    /// The fields of words, as a command gets them.
    pub(super) async fn expand(&mut self, words: &[Word], streams: &Streams) -> Result<Vec<String>, Flow> {
        let mut all = Vec::new();
        for word in words {
            for field in self.fields(word, true, streams).await? {
                let pattern = field.pattern();
                if !self.options.no_wildcards && pattern::is_pattern(&pattern) {
                    let found = self.wildcards(&pattern).await;
                    if !found.is_empty() {
                        all.extend(found);
                        continue;
                    }
                }
                all.push(field.text());
            }
            if all.len() > MAX_FIELDS {
                return Err(self.fail("argument list too long", streams).await);
            }
        }
        Ok(all)
    }

    /// A word as one text, as in assignments and redirections.
    pub(super) async fn expand_one(&mut self, word: &Word, streams: &Streams) -> Result<String, Flow> {
        let fields = self.fields(word, false, streams).await?;
        Ok(fields.iter().map(Field::text).collect::<Vec<_>>().join(" "))
    }

    /// A word as a pattern.
    pub(super) async fn expand_pattern(&mut self, word: &Word, streams: &Streams) -> Result<String, Flow> {
        let fields = self.fields(word, false, streams).await?;
        Ok(fields.iter().map(Field::pattern).collect::<Vec<_>>().join(" "))
    }

    fn fields<'a>(
        &'a mut self,
        word: &'a Word,
        split: bool,
        streams: &'a Streams,
    ) -> BoxFuture<'a, Result<Vec<Field>, Flow>> {
        Box::pin(async move {
            let mut fields = vec![Field::default()];
            for (at, part) in word.0.iter().enumerate() {
                match part {
                    Part::Plain(text) => {
                        let text = if at == 0 { self.home(text) } else { text.clone() };
                        last(&mut fields).push(&text, false);
                    }
                    Part::Quoted(text) => last(&mut fields).push(text, true),
                    Part::Parameter(name, None, true) if name == "@" && split => {
                        self.all_parameters(&mut fields);
                    }
                    Part::Parameter(name, change, quoted) => {
                        let value = self.parameter(name, change.as_deref(), streams).await?;
                        self.add(&mut fields, &value, *quoted, split);
                    }
                    Part::Output(list, quoted) => {
                        let output = self.capture(list, streams).await?;
                        self.add(&mut fields, output.trim_end_matches('\n'), *quoted, split);
                    }
                    Part::Number(expression, quoted) => {
                        let text = self.expand_one(expression, streams).await?;
                        match arithmetic::evaluate(&text, &mut self.variables) {
                            Ok(value) => self.add(&mut fields, &value.to_string(), *quoted, split),
                            Err(error) => return Err(self.fail(&error, streams).await),
                        }
                    }
                }
            }
            fields.retain(|field| field.is_there);
            Ok(fields)
        })
    }

    /// `"$@"`: a field for each parameter; none at all where there is none.
    fn all_parameters(&self, fields: &mut Vec<Field>) {
        for (at, parameter) in self.parameters.iter().enumerate() {
            if at > 0 {
                fields.push(Field::default());
            }
            last(fields).push(parameter, true);
        }
        if self.parameters.is_empty() && last(fields).characters.is_empty() {
            last(fields).is_there = false;
        }
    }

    fn home(&self, text: &str) -> String {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.variables.get("HOME").unwrap_or("/root"))
            }
            _ => text.to_owned(),
        }
    }

    /// Adds a value, split at blanks where it is not quoted.
    fn add(&self, fields: &mut Vec<Field>, value: &str, quoted: bool, split: bool) {
        if quoted || !split {
            return last(fields).push(value, quoted);
        }
        let separators = self.variables.get("IFS").unwrap_or(" \t\n");
        let mut pieces = value.split(|c: char| separators.contains(c));
        if let Some(first) = pieces.next() {
            last(fields).push(first, false);
        }
        for piece in pieces {
            if fields.len() < MAX_FIELDS {
                fields.push(Field::default());
            }
            last(fields).push(piece, false);
        }
    }

    /// The value of a parameter, changed as its braces say.
    async fn parameter(
        &mut self,
        name: &str,
        change: Option<&Change>,
        streams: &Streams,
    ) -> Result<String, Flow> {
        let value = self.value(name);
        let Some(change) = change else {
            if value.is_none() && self.options.no_unset && !"@*".contains(name) {
                return Err(self.fail(&format!("{name}: parameter not set"), streams).await);
            }
            return Ok(value.unwrap_or_default());
        };
        match change {
            Change::Length => Ok(value.unwrap_or_default().chars().count().to_string()),
            Change::Instead(operator, colon, word) => {
                let present = value.filter(|value| !(*colon && value.is_empty()));
                match (operator, present) {
                    ('+', None) => Ok(String::new()),
                    ('+', Some(_)) | ('-', None) => self.expand_one(word, streams).await,
                    ('=', None) => {
                        let value = self.expand_one(word, streams).await?;
                        if is_name(name) {
                            self.variables.set(name, &value);
                        }
                        Ok(value)
                    }
                    (_, Some(value)) => Ok(value),
                    (_, None) => {
                        let message = self.expand_one(word, streams).await?;
                        let message = if message.is_empty() {
                            "parameter not set"
                        } else {
                            &message
                        };
                        Err(self.fail(&format!("{name}: {message}"), streams).await)
                    }
                }
            }
            Change::Cut(operator, longest, word) => {
                let pattern = self.expand_pattern(word, streams).await?;
                Ok(cut(&value.unwrap_or_default(), &pattern, *operator, *longest))
            }
            Change::Replace(all, word, with) => {
                let pattern = self.expand_pattern(word, streams).await?;
                let with = self.expand_one(with, streams).await?;
                Ok(replace(&value.unwrap_or_default(), &pattern, &with, *all))
            }
        }
    }

    /// The value of a variable, a positional or a special parameter.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        match name {
            "@" | "*" => Some(self.parameters.join(" ")),
            "#" => Some(self.parameters.len().to_string()),
            "?" => Some(self.status.to_string()),
            "$" => Some(self.pid.to_string()),
            "!" => self.background.last().map(|job| job.pid.to_string()),
            "-" => Some(String::new()),
            "0" => Some(self.name.clone()),
            _ => match name.parse::<usize>() {
                Ok(number) => self.parameters.get(number.checked_sub(1)?).cloned(),
                Err(_) => self.variables.get(name).map(str::to_owned),
            },
        }
    }

    /// The paths that fit a pattern, in order.
    async fn wildcards(&self, pattern: &str) -> Vec<String> {
        let absolute = pattern.starts_with('/');
        let mut found = vec![if absolute { "/".to_owned() } else { String::new() }];
        let segments = pattern.split('/').filter(|segment| !segment.is_empty());
        for segment in segments {
            let mut next = Vec::new();
            for base in &found {
                if !pattern::is_pattern(segment) {
                    let path = format!("{base}{}", segment.replace('\\', ""));
                    if self.world.files().stat(&self.path(&path)).await.is_ok() {
                        next.push(path);
                    }
                    continue;
                }
                let folder = self.path(base);
                let Ok(mut entries) = self.world.files().list(&folder).await else {
                    continue;
                };
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                for (name, _) in entries {
                    let hidden = name.starts_with('.') && !segment.starts_with('.');
                    if !hidden && pattern::fits(segment, &name) {
                        next.push(format!("{base}{name}"));
                    }
                }
            }
            found = next;
            found.truncate(MAX_FIELDS);
            found.iter_mut().for_each(|path| path.push('/'));
        }
        found.iter_mut().for_each(|path| {
            path.pop();
        });
        found
    }
}

fn last(fields: &mut Vec<Field>) -> &mut Field {
    if fields.is_empty() {
        fields.push(Field::default());
    }
    let at = fields.len() - 1;
    &mut fields[at]
}

/// Cuts what fits a pattern off the beginning or the end.
fn cut(value: &str, pattern: &str, operator: char, longest: bool) -> String {
    let mut ends: Vec<usize> = value
        .char_indices()
        .map(|(at, _)| at)
        .chain([value.len()])
        .collect();
    // The shortest prefix comes first, and the shortest suffix last.
    if (operator == '#') == longest {
        ends.reverse();
    }
    for at in ends {
        let (part, rest) = match operator {
            '#' => (&value[..at], &value[at..]),
            _ => (&value[at..], &value[..at]),
        };
        if pattern::fits(pattern, part) {
            return rest.to_owned();
        }
    }
    value.to_owned()
}

/// Replaces what fits a pattern, the longest first.
fn replace(value: &str, pattern: &str, with: &str, all: bool) -> String {
    let mut out = String::new();
    let mut rest = value;
    while !rest.is_empty() {
        let mut ends: Vec<usize> = rest
            .char_indices()
            .map(|(at, _)| at)
            .skip(1)
            .chain([rest.len()])
            .collect();
        ends.reverse();
        match ends.into_iter().find(|&end| pattern::fits(pattern, &rest[..end])) {
            Some(end) => {
                out.push_str(with);
                rest = &rest[end..];
                if !all {
                    break;
                }
            }
            None => {
                let first = rest.chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..first]);
                rest = &rest[first..];
            }
        }
    }
    out + rest
}
