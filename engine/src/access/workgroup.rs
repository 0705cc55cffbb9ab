//! Which workgroup a session's queries run in, and who may use it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use glaux_catalog::{
    Metastore,
    model::{Workgroup, WorkgroupState},
};

use crate::{
    error::{Error, ErrorKind, Result},
    session::{Role, SessionOptions},
};

/// Workgroups as the catalog had them last. While it cannot be reached, a statement that needs nothing else of it runs under what held then.
#[derive(Debug, Default)]
pub(crate) struct KnownWorkgroups(Mutex<HashMap<String, Workgroup>>);

impl KnownWorkgroups {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Workgroup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A workgroup as the catalog has it.
    ///
    /// # Errors
    /// `NotFound`; those of the catalog.
    pub(crate) async fn get(&self, name: &str, metastore: &dyn Metastore) -> Result<Workgroup> {
        match metastore.workgroup(name).await {
            Ok(workgroup) => {
                let mut known = self.lock();
                if known.get(name) != Some(&workgroup) {
                    known.insert(name.to_owned(), workgroup.clone());
                }
                Ok(workgroup)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.lock().remove(name);
                Err(error)
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => self.lock().get(name).cloned().ok_or(error),
            Err(error) => Err(error),
        }
    }
}

/// The workgroup that a session names, if its user may use it.
///
/// # Errors
/// `NotFound` and `Denied`, with the names of those that the user may use; those of the catalog.
pub(crate) async fn workgroup_of(
    session: &SessionOptions,
    metastore: &dyn Metastore,
    known: &KnownWorkgroups,
) -> Result<Workgroup> {
    let name = &session.workgroup;
    let refusal = match known.get(name, metastore).await {
        Ok(workgroup) => match refused(&workgroup, session) {
            None => return Ok(workgroup),
            Some(message) => Error::new(ErrorKind::Denied, message),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Error::not_found(format!("workgroup \"{name}\" does not exist")),
        Err(error) => return Err(error),
    };
    let all = metastore.workgroups().await?;
    let usable = all.iter().filter(|other| refused(other, session).is_none());
    let usable: Vec<_> = usable.map(|other| other.name.as_str()).collect();
    Err(refusal.with_hint(match usable[..] {
        [] => "Ask an administrator: there is no workgroup that you may use".to_owned(),
        _ if session.workgroup_bound => "Ask an administrator: they assign users to workgroups".to_owned(),
        _ => format!("SET SESSION workgroup names another one that you may use: {}", usable.join(", ")),
    }))
}

/// Why a session may not use a workgroup.
fn refused(workgroup: &Workgroup, session: &SessionOptions) -> Option<String> {
    let Workgroup { name, state, .. } = workgroup;
    if *state == WorkgroupState::Disabled {
        return Some(format!("workgroup \"{name}\" is disabled"));
    }
    let is_allowed = session.role == Role::Administrator || workgroup.is_for(&session.user, &session.groups);
    (!is_allowed).then(|| not_for(&session.user, name))
}

pub(super) fn not_for(user: &str, workgroup: &str) -> String {
    format!("user \"{user}\" may not use workgroup \"{workgroup}\"")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use glaux_catalog::model::WorkgroupSettings;

    use super::*;

    #[test]
    fn a_workgroup_is_for_those_it_names_and_for_all_where_it_names_nobody() {
        let mut workgroup = Workgroup {
            name: "bi".to_owned(),
            description: None,
            created_at: DateTime::default(),
            state: WorkgroupState::Enabled,
            settings: WorkgroupSettings::default(),
        };
        let of = |user: &str, group: &str, role| SessionOptions {
            user: user.to_owned(),
            groups: vec![group.to_owned()],
            role,
            ..SessionOptions::default()
        };
        let (ada, bob, eve) = (of("ada", "dev", Role::User), of("bob", "analysts", Role::User), of("eve", "dev", Role::User));
        let admin = of("root", "ops", Role::Administrator);
        assert!([&ada, &bob, &eve, &admin].into_iter().all(|session| refused(&workgroup, session).is_none()));
        workgroup.settings.allowed_users = vec!["ada".to_owned()];
        workgroup.settings.allowed_groups = vec!["analysts".to_owned()];
        assert!([&ada, &bob, &admin].into_iter().all(|session| refused(&workgroup, session).is_none()));
        assert_eq!(refused(&workgroup, &eve).as_deref(), Some("user \"eve\" may not use workgroup \"bi\""));
        workgroup.state = WorkgroupState::Disabled;
        assert_eq!(refused(&workgroup, &admin).as_deref(), Some("workgroup \"bi\" is disabled"));
    }
}
