//! The environment variables that concern stores (`AWS_*`, `GOOGLE_*`, `AZURE_*`), so that an embedding program or a test can pass its own.

use std::{collections::BTreeMap, fmt};

use super::values;
use crate::error::Result;

/// The environment variables that concern stores, read once.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own. Variables that are not Unicode are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that is true or false, if it is set.
    ///
    /// # Errors
    /// `Invalid` for another value.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>> {
        self.get(name).map(|value| values::truth(name, value)).transpose()
    }

    /// The variables whose names begin with `prefix`, in order, without empty ones.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }
}

/// Values lose the blanks and line breaks at their edges, as files of secrets have them at their ends.
impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        const CONCERNED: [&str; 6] = ["AWS_", "GOOGLE_", "AZURE_", "SERVICE_ACCOUNT", "MSI_ENDPOINT", "HOME"];
        let concerned = |name: &str| CONCERNED.iter().any(|prefix| name.starts_with(prefix));
        let variables = variables.into_iter().filter(|(name, _)| concerned(name));
        Self(variables.map(|(name, value)| (name, value.trim().to_owned())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
