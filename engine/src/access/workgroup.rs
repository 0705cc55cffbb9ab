//! Which workgroup a session's queries run in, and who may use it.

use glaux_catalog::{
    Metastore,
    model::{Workgroup, WorkgroupState},
};

use crate::{
    error::{Error, ErrorKind, Result},
    session::{Role, SessionOptions},
};

/// The workgroup that a session names, if its user may use it.
///
/// # Errors
/// `NotFound` and `Denied`, with the names of those that the user may use; those of the catalog.
pub(crate) async fn workgroup_of(session: &SessionOptions, metastore: &dyn Metastore) -> Result<Workgroup> {
    let name = &session.workgroup;
    let refusal = match metastore.workgroup(name).await {
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
