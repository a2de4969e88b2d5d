//! The logs of a test's cluster: an ERROR line that the test did not expect fails it.

use std::{fs, path::Path};

/// Every ERROR line in the logs below `dir`, with the process that wrote it.
pub(crate) fn errors(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return found;
    };
    for entry in entries.flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let name = entry.file_name().to_string_lossy().into_owned();
        let lines = text
            .lines()
            .filter(|line| line.contains(" ERROR ") || line.contains("panicked at"));
        found.extend(lines.map(|line| format!("{name}: {line}")));
    }
    found
}
