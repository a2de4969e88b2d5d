//! The scheduler's configuration file, in the shape of `KubeSchedulerConfiguration` (`kubescheduler.config.k8s.io/v1`).
//!
//! What is read stands in `docs/scheduling.md`; whatever else a file holds is refused by name, never left aside.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::{profile::Profile, queue};

mod plugins;
#[cfg(test)]
mod tests;

use plugins::PluginSets;

/// Profiles in one file, at most.
const PROFILES_MAX: usize = 16;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read scheduler configuration: {}", self.0)
    }
}

impl std::error::Error for Error {}

fn refuse<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error(why.into()))
}

/// A configuration that was read and found good.
#[derive(Clone, Debug, Default)]
pub struct Configuration(Raw);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Raw {
    api_version: String,
    kind: String,
    percentage_of_nodes_to_score: Option<u8>,
    pod_initial_backoff_seconds: Option<f64>,
    pod_max_backoff_seconds: Option<f64>,
    profiles: Vec<RawProfile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawProfile {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<u8>,
    plugins: PluginSets,
    plugin_config: Vec<RawArguments>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArguments {
    name: String,
    #[serde(default)]
    args: Value,
}

impl Configuration {
    /// Reads a file's JSON (YAML is JSON by the time it comes here).
    ///
    /// # Errors
    /// Where it is not such a configuration, or asks for something that does not exist here.
    pub fn read(value: Value) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_value(value).map_err(|error| Error(error.to_string()))?;
        if raw.api_version != "kubescheduler.config.k8s.io/v1" || raw.kind != "KubeSchedulerConfiguration" {
            return refuse(format!(
                "apiVersion {:?} and kind {:?} are not kubescheduler.config.k8s.io/v1 and KubeSchedulerConfiguration",
                raw.api_version, raw.kind
            ));
        }
        if raw.profiles.len() > PROFILES_MAX {
            return refuse(format!("there are more than {PROFILES_MAX} profiles"));
        }
        let configuration = Self(raw);
        let profiles = configuration.try_profiles()?;
        for (at, profile) in profiles.iter().enumerate() {
            let is_same = |other: &Profile| other.scheduler_name == profile.scheduler_name;
            if profiles[..at].iter().any(is_same) {
                return refuse(format!("two profiles are called {:?}", profile.scheduler_name));
            }
        }
        configuration.try_limits()?;
        Ok(configuration)
    }

    /// The profiles; the default one where the file names none.
    #[must_use]
    pub fn profiles(&self) -> Vec<Profile> {
        // What was read has been made once already.
        self.try_profiles().unwrap_or_default()
    }

    /// How long pods wait.
    #[must_use]
    pub fn limits(&self) -> queue::Limits {
        self.try_limits().unwrap_or_default()
    }

    fn try_limits(&self) -> Result<queue::Limits, Error> {
        let Raw {
            pod_initial_backoff_seconds,
            pod_max_backoff_seconds,
            ..
        } = &self.0;
        let defaults = queue::Limits::default();
        let seconds = |name: &str, given: &Option<f64>, default: Duration| match given {
            None => Ok(default),
            Some(seconds) if *seconds > 0.0 && *seconds <= 3_600.0 => Ok(Duration::from_secs_f64(*seconds)),
            Some(seconds) => refuse(format!("{name} is {seconds}, not more than 0 and at most 3600")),
        };
        let backoff_min = seconds(
            "podInitialBackoffSeconds",
            pod_initial_backoff_seconds,
            defaults.backoff_min,
        )?;
        let backoff_max = seconds(
            "podMaxBackoffSeconds",
            pod_max_backoff_seconds,
            defaults.backoff_max,
        )?;
        if backoff_max < backoff_min {
            return refuse("podMaxBackoffSeconds is less than podInitialBackoffSeconds");
        }
        Ok(queue::Limits {
            backoff_min,
            backoff_max,
            ..defaults
        })
    }

    fn try_profiles(&self) -> Result<Vec<Profile>, Error> {
        if self.0.profiles.is_empty() {
            let profile = RawProfile::default();
            return Ok(vec![profile.build(self.0.percentage_of_nodes_to_score)?]);
        }
        let build = |raw: &RawProfile| raw.build(self.0.percentage_of_nodes_to_score);
        self.0.profiles.iter().map(build).collect()
    }
}

impl RawProfile {
    fn build(&self, percentage: Option<u8>) -> Result<Profile, Error> {
        let mut profile = Profile::default();
        if let Some(name) = &self.scheduler_name {
            if name.is_empty() {
                return refuse("a profile's schedulerName is empty");
            }
            profile.scheduler_name = name.as_str().into();
        }
        let percentage = self
            .percentage_of_nodes_to_score
            .or(percentage)
            .unwrap_or_default();
        if percentage > 100 {
            return refuse(format!("percentageOfNodesToScore is {percentage}, more than 100"));
        }
        profile.percentage_of_nodes_to_score = percentage;
        for RawArguments { name, args } in &self.plugin_config {
            plugins::configure(&mut profile, name, args)?;
        }
        self.plugins.apply(&mut profile)?;
        Ok(profile)
    }
}
