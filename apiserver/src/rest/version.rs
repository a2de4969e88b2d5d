//! Which Kubernetes this server speaks as.

use serde_json::json;

/// The major version of the API that is served.
pub(crate) const MAJOR: &str = "1";
/// The minor version of the API that is served: that of the object model.
pub(crate) const MINOR: &str = "33";
/// The version as clients compare it; build metadata tells whose it is.
pub(crate) const GIT_VERSION: &str = "v1.33.0+coracle";

/// The answer of `/version`.
pub(crate) fn body() -> String {
    let platform = format!("{}/{}", std::env::consts::OS, architecture());
    json!({
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": platform,
    })
    .to_string()
}

/// The machine's architecture by the name that container images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
