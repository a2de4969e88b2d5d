//! A shell's variables, and which of them commands inherit.

use std::collections::BTreeMap;

/// The most variables.
const MAX_VARIABLES: usize = 10_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, (String, bool)>);

impl Variables {
    /// The environment that a command gets; of two values of a name the last counts.
    #[must_use]
    pub fn of(environment: &[(String, String)]) -> Self {
        let pairs = environment.iter().cloned();
        Self(pairs.map(|(name, value)| (name, (value, true))).collect())
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str())
    }

    /// Sets a value; what is inherited stays so. Beyond ten thousand names nothing is added.
    pub fn set(&mut self, name: &str, value: &str) {
        if let Some((known, _)) = self.0.get_mut(name) {
            value.clone_into(known);
        } else if self.0.len() < MAX_VARIABLES {
            self.0.insert(name.to_owned(), (value.to_owned(), false));
        }
    }

    /// Lets commands inherit a variable.
    pub fn export(&mut self, name: &str) {
        if self.get(name).is_none() {
            self.set(name, "");
        }
        if let Some((_, exported)) = self.0.get_mut(name) {
            *exported = true;
        }
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What commands inherit, by name.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = self.0.iter().filter(|(_, (_, exported))| *exported);
        pairs
            .map(|(name, (value, _))| (name.clone(), value.clone()))
            .collect()
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, (value, _))| (name.as_str(), value.as_str()))
    }
}
