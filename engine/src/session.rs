//! A session: who asks, in which database, with which settings. Shared by handle; a statement such as `USE` changes it for the next one.
//!
//! `RESET SESSION` goes back to the options that a session began with, which are also the upper bounds of its limits: a session can only tighten them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use glaux_catalog::ident::DEFAULT_DATABASE;

pub use crate::units::{parse_bytes, parse_duration};
use crate::{
    error::{Error, ErrorKind, Result},
    functions,
    table::{LISTING, ListingPolicy},
};

/// What a user may do beyond the grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Reads and writes what grants allow; sees and ends only their own queries.
    User,
    /// May do everything, whatever the grants say. Whoever opens a data directory has its files, and so is one.
    #[default]
    Administrator,
}

/// Where a session's statements come from, as their client says: kept in the history, so that a run of many statements has one price.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The program that submits them, as it calls itself.
    pub application: Option<String>,
    /// Of the client's session.
    pub session_id: Option<String>,
    /// What they are a part of, such as a model, a cell or a panel.
    pub parent_id: Option<String>,
    /// What all of that is a part of, such as a run, a notebook or a dashboard.
    pub root_id: Option<String>,
}

impl Origin {
    /// The longest text of an origin, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// A text as an origin has it: without whitespace around it and control characters, cut to the longest that there may be. `None` if nothing is left.
    #[must_use]
    pub fn text(text: &str) -> Option<String> {
        let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
        let cut = &text[..text.floor_char_boundary(Self::MAX_BYTES)];
        (!cut.is_empty()).then(|| cut.to_owned())
    }
}

/// What a front end knows of a session when it opens it.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    pub database: String,
    pub workgroup: String,
    /// Whether the workgroup is assigned to the user, who then cannot change it.
    pub workgroup_bound: bool,
    pub user: String,
    /// The groups that the user is in, for grants.
    pub groups: Vec<String>,
    pub role: Role,
    /// Free-form labels (`--label k=v`), kept in the history.
    pub labels: BTreeMap<String, String>,
    /// Where its statements come from.
    pub origin: Origin,
    /// A zone's name or a fixed offset, as [`parse_time_zone`] gives it.
    pub time_zone: String,
    /// Bytes of table data that one query may scan.
    pub max_scan: Option<u64>,
    /// How long one query may take.
    pub timeout: Option<Duration>,
    /// When the files of tables are listed, in place of what the tables say.
    pub listing: Option<ListingPolicy>,
    /// How many steps a recursive query may take.
    pub max_recursion_depth: u64,
}

const UTC: &str = "UTC";

/// Steps that a recursive query may take where nobody says otherwise.
const RECURSION_DEPTH: u64 = 1000;

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            database: DEFAULT_DATABASE.to_owned(),
            workgroup: "primary".to_owned(),
            workgroup_bound: false,
            user: "glaux".to_owned(),
            groups: Vec::new(),
            role: Role::default(),
            labels: BTreeMap::new(),
            origin: Origin::default(),
            time_zone: UTC.to_owned(),
            max_scan: None,
            timeout: None,
            listing: None,
            max_recursion_depth: RECURSION_DEPTH,
        }
    }
}

/// The handle of a session. Clones share its state.
#[derive(Debug, Clone)]
pub struct Session {
    now: Arc<Mutex<SessionOptions>>,
    /// The options that it began with. The user in them may have changed since.
    configured: Arc<SessionOptions>,
}

/// A setting that `SET SESSION` accepts and `SHOW SESSION` lists.
struct Setting {
    name: &'static str,
    description: &'static str,
    get: fn(&SessionOptions) -> String,
    /// Also gets the options that the session began with.
    set: fn(&mut SessionOptions, &SessionOptions, &str) -> Result<()>,
    reset: fn(&mut SessionOptions, &SessionOptions) -> Result<()>,
}

/// Gives a field what the session began with.
macro_rules! reset {
    ($($field:ident).+) => {
        |options, from| {
            options.$($field).+.clone_from(&from.$($field).+);
            Ok(())
        }
    };
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "application",
        description: "The program that submits the statements, kept in the history; empty for none",
        get: |options| options.origin.application.clone().unwrap_or_default(),
        set: |options, _, value| {
            options.origin.application = origin_text("application", value)?;
            Ok(())
        },
        reset: reset!(origin.application),
    },
    Setting {
        name: LISTING,
        description: "When files are listed: live, ttl=5m or snapshot; empty for what each table's property \"listing\" says",
        get: |options| options.listing.map(|policy| policy.to_string()).unwrap_or_default(),
        set: |options, _, value| {
            options.listing = if value.is_empty() { None } else { Some(value.parse()?) };
            Ok(())
        },
        reset: reset!(listing),
    },
    Setting {
        name: "max_recursion_depth",
        description: "Steps that a recursive query may take, at least 1",
        get: |options| options.max_recursion_depth.to_string(),
        set: |options, _, value| {
            options.max_recursion_depth = parse_depth(value)?;
            Ok(())
        },
        reset: reset!(max_recursion_depth),
    },
    Setting {
        name: "max_scan",
        description: "Bytes of table data that one query may scan; empty for no limit",
        get: |options| options.max_scan.map(|bytes| bytes.to_string()).unwrap_or_default(),
        set: |options, configured, value| {
            let wanted = if value.is_empty() { None } else { Some(parse_bytes(value)?) };
            options.max_scan = within("max_scan", wanted, configured.max_scan)?;
            Ok(())
        },
        reset: reset!(max_scan),
    },
    Setting {
        name: "parent_id",
        description: "What the statements are a part of, such as a model of dbt, kept in the history; empty for nothing",
        get: |options| options.origin.parent_id.clone().unwrap_or_default(),
        set: |options, _, value| {
            options.origin.parent_id = origin_text("parent_id", value)?;
            Ok(())
        },
        reset: reset!(origin.parent_id),
    },
    Setting {
        name: "root_id",
        description: "What all of that is a part of, such as a run of dbt, kept in the history; empty for nothing",
        get: |options| options.origin.root_id.clone().unwrap_or_default(),
        set: |options, _, value| {
            options.origin.root_id = origin_text("root_id", value)?;
            Ok(())
        },
        reset: reset!(origin.root_id),
    },
    Setting {
        name: "time_zone",
        description: "The zone of CURRENT_DATE and of instants as text",
        get: |options| options.time_zone.clone(),
        set: |options, _, value| {
            options.time_zone = parse_time_zone(value)?;
            Ok(())
        },
        reset: reset!(time_zone),
    },
    Setting {
        name: "timeout",
        description: "How long one query may take, such as 30s or 5m; empty for no limit",
        get: |options| options.timeout.map(|time| format!("{}s", time.as_secs_f64())).unwrap_or_default(),
        set: |options, configured, value| {
            let wanted = if value.is_empty() { None } else { Some(parse_duration(value)?) };
            options.timeout = within("timeout", wanted, configured.timeout)?;
            Ok(())
        },
        reset: reset!(timeout),
    },
    Setting {
        name: "workgroup",
        description: "The workgroup that queries run in",
        get: |options| options.workgroup.clone(),
        set: |options, _, value| set_workgroup(options, value),
        reset: |options, from| set_workgroup(options, &from.workgroup),
    },
];

/// Former names of settings, which are still accepted, and their names now: those of the configuration and of the flags.
pub const FORMER_NAMES: [(&str, &str); 2] = [("max_scan_bytes", "max_scan"), ("query_timeout", "timeout")];

/// A limit that a session may have under the one that it began with.
///
/// # Errors
/// `Denied` for a wider one, and for none.
fn within<T: PartialOrd>(name: &str, wanted: Option<T>, configured: Option<T>) -> Result<Option<T>> {
    let is_wider = configured.is_some_and(|configured| wanted.as_ref().is_none_or(|wanted| *wanted > configured));
    if is_wider {
        return Err(Error::new(ErrorKind::Denied, format!("session setting \"{name}\" cannot exceed the configured limit"))
            .with_hint("A session can only lower its limits: SHOW SESSION lists the initial ones"));
    }
    Ok(wanted)
}

/// A text of the origin that a client sets; `None` for an empty one.
///
/// # Errors
/// `Invalid` for one that is too long, or has control characters.
fn origin_text(name: &str, value: &str) -> Result<Option<String>> {
    if value.is_empty() {
        return Ok(None);
    }
    let most = Origin::MAX_BYTES;
    if value.len() > most {
        return Err(Error::invalid(format!("session setting \"{name}\" is longer than {most} bytes"))
            .with_hint(format!("Use an id of {most} bytes or fewer")));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::invalid(format!("session setting \"{name}\" contains control characters"))
            .with_hint("Use printable characters only"));
    }
    Ok(Some(value.to_owned()))
}

/// # Errors
/// `Denied` to a user who is bound to another workgroup.
fn set_workgroup(options: &mut SessionOptions, workgroup: &str) -> Result<()> {
    if options.workgroup_bound && workgroup != options.workgroup {
        let message = format!("user \"{}\" is bound to workgroup \"{}\"", options.user, options.workgroup);
        return Err(Error::new(ErrorKind::Denied, message).with_hint("Ask an administrator: they assign users to workgroups"));
    }
    workgroup.clone_into(&mut options.workgroup);
    Ok(())
}

impl Session {
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        Self { configured: Arc::new(options.clone()), now: Arc::new(Mutex::new(options)) }
    }

    /// A session of a user who is not an administrator, and so reads and writes what grants allow.
    #[must_use]
    pub fn for_user(user: &str) -> Self {
        Self::new(SessionOptions { user: user.to_owned(), role: Role::User, ..SessionOptions::default() })
    }

    fn lock(&self) -> MutexGuard<'_, SessionOptions> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session as it is now.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        self.lock().clone()
    }

    /// Sets the program that the session's statements come from, unless it has been set.
    pub fn set_default_application(&self, application: &str) {
        let mut options = self.lock();
        if options.origin.application.is_none() {
            options.origin.application = Origin::text(application);
        }
    }

    #[must_use]
    pub fn database(&self) -> String {
        self.lock().database.clone()
    }

    /// Makes a database current. Whether it exists is not checked.
    pub fn set_database(&self, database: &str) {
        self.lock().database = glaux_catalog::ident::fold(database);
    }

    /// Sets whose session it is now: a server does at every call, since groups and roles may change during a session. A workgroup given here is one
    /// that the user is bound to.
    pub fn identify(&self, user: &str, groups: &[String], role: Role, workgroup: Option<&str>) {
        let mut options = self.lock();
        user.clone_into(&mut options.user);
        groups.clone_into(&mut options.groups);
        options.role = role;
        options.workgroup_bound = workgroup.is_some();
        if let Some(workgroup) = workgroup {
            workgroup.clone_into(&mut options.workgroup);
        }
    }

    /// `SET SESSION name = value`.
    ///
    /// # Errors
    /// `NotFound` for the name, `Invalid` for the value, `Denied` for a limit wider than the configured one.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        (setting(name)?.set)(&mut self.lock(), &self.configured, value.trim())
    }

    /// `RESET SESSION name`: back to what the session began with.
    ///
    /// # Errors
    /// `NotFound` for the name; `Denied` for a workgroup that the user is bound to.
    pub fn reset(&self, name: &str) -> Result<()> {
        (setting(name)?.reset)(&mut self.lock(), &self.configured)
    }

    /// `SHOW SESSION`: name, value, what it is reset to, and description of every setting, by name.
    #[must_use]
    pub fn settings(&self) -> Vec<[String; 4]> {
        let (options, default) = (self.lock(), &self.configured);
        let row = |s: &Setting| [s.name.to_owned(), (s.get)(&options), (s.get)(default), s.description.to_owned()];
        SETTINGS.iter().map(row).collect()
    }
}

fn setting(name: &str) -> Result<&'static Setting> {
    let now = FORMER_NAMES.into_iter().find(|(former, _)| former.eq_ignore_ascii_case(name)).map_or(name, |(_, now)| now);
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(now)).ok_or_else(|| {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        Error::not_found(format!("session setting \"{name}\" does not exist"))
            .with_hint(format!("SHOW SESSION lists them: {}", names.join(", ")))
    })
}

/// Parses a number of steps, at least one.
fn parse_depth(text: &str) -> Result<u64> {
    text.trim().parse().ok().filter(|depth| *depth > 0).ok_or_else(|| {
        Error::invalid(format!("\"{text}\" is not a recursion depth")).with_hint("Write a whole number of steps, 1 or more")
    })
}

/// Parses a zone: an IANA name or a fixed offset, such as `+02:00`.
///
/// # Errors
/// `Invalid`.
pub fn parse_time_zone(text: &str) -> Result<String> {
    functions::known_name(text).map_err(|_| {
        Error::invalid(format!("unknown time zone \"{text}\""))
            .with_hint("Use an IANA name, such as UTC or Europe/Berlin, or an offset, such as +02:00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_shown_and_reset() {
        let session = Session::new(SessionOptions::default());
        session.set("MAX_SCAN", "10MB").unwrap();
        session.set("time_zone", "Europe/Berlin").unwrap();
        assert_eq!(session.options().max_scan, Some(10_000_000));
        assert!(session.settings().iter().any(|[name, value, ..]| name == "time_zone" && value == "Europe/Berlin"));
        session.set("listing", "ttl=1m").unwrap();
        assert!(session.settings().iter().any(|[name, value, ..]| name == "listing" && value == "ttl=60s"));
        assert_eq!(session.set("listing", "never").unwrap_err().kind(), ErrorKind::Invalid);
        session.reset("time_zone").unwrap();
        assert_eq!(session.options().time_zone, UTC);
        for (written, known) in
            [("+02:00", "+02:00"), ("-3", "-03:00"), ("UTC+05:30", "+05:30"), ("europe/berlin", "Europe/Berlin")]
        {
            session.set("time_zone", written).unwrap();
            assert_eq!(session.options().time_zone, known);
        }
        session.identify("ada", &[], Role::User, Some("bi"));
        assert_eq!(session.set("workgroup", "primary").unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(session.reset("workgroup").unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(session.options().workgroup, "bi");
        assert!(session.set("timeout", "soon").unwrap_err().to_string().contains("soon"));
        assert_eq!(session.reset("max_scan").map(|()| session.options().max_scan).unwrap(), None);
        assert!(session.set("nope", "1").unwrap_err().hint().unwrap().contains("workgroup"));
    }

    #[test]
    fn origins_are_set_cleared_and_limited() {
        let origin = Origin { application: Some("app".to_owned()), ..Origin::default() };
        let session = Session::new(SessionOptions { origin, ..SessionOptions::default() });
        for name in ["application", "parent_id", "root_id"] {
            session.set(name, &"x".repeat(Origin::MAX_BYTES)).unwrap();
            for refused in ["x".repeat(Origin::MAX_BYTES + 1), "a\nb".to_owned()] {
                assert_eq!(session.set(name, &refused).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
            }
        }
        session.set("parent_id", "model.orders").unwrap();
        session.set("root_id", "").unwrap();
        session.reset("application").unwrap();
        let (application, parent_id) = (Some("app".to_owned()), Some("model.orders".to_owned()));
        let expected = Origin { application, parent_id, ..Origin::default() };
        assert_eq!(session.options().origin, expected);
        session.set_default_application("other");
        assert_eq!(session.options().origin, expected);
        session.set("application", "").unwrap();
        session.set_default_application(" other\t1 ");
        assert_eq!(session.options().origin.application.as_deref(), Some("other1"));
        assert_eq!(Origin::text(" \n "), None);
        assert_eq!(Origin::text(&"é".repeat(200)).unwrap().len(), Origin::MAX_BYTES);
    }

    #[test]
    fn former_names_are_still_taken() {
        let session = Session::new(SessionOptions::default());
        session.set("Max_Scan_Bytes", "10MB").unwrap();
        session.set("query_timeout", "5m").unwrap();
        assert_eq!((session.options().max_scan, session.options().timeout), (Some(10_000_000), Some(Duration::from_secs(300))));
        session.reset("max_scan_bytes").unwrap();
        session.reset("query_timeout").unwrap();
        assert_eq!((session.options().max_scan, session.options().timeout), (None, None));
        let shown: Vec<_> = session.settings().into_iter().map(|[name, ..]| name).collect();
        assert!(shown.is_sorted() && shown.iter().all(|name| FORMER_NAMES.iter().all(|(former, _)| name != former)), "{shown:?}");
    }

    #[test]
    fn configured_limits_are_tightened_only() {
        let zone = "Europe/Berlin".to_owned();
        let (max_scan, timeout) = (Some(1_000_000), Some(Duration::from_secs(60)));
        let session = Session::new(SessionOptions { max_scan, timeout, time_zone: zone.clone(), ..SessionOptions::default() });
        for (name, wider) in [("max_scan", "2MB"), ("max_scan", ""), ("timeout", "61s"), ("timeout", "1h"), ("timeout", " ")] {
            assert_eq!(session.set(name, wider).unwrap_err().kind(), ErrorKind::Denied, "{name} {wider}");
        }
        assert_eq!((session.options().max_scan, session.options().timeout), (max_scan, timeout));
        session.set("max_scan", "1MB").unwrap();
        session.set("max_scan", "10kB").unwrap();
        session.set("max_scan", "20kB").unwrap();
        session.set("timeout", "1s").unwrap();
        session.set("time_zone", "UTC").unwrap();
        for name in ["max_scan", "timeout", "time_zone"] {
            session.reset(name).unwrap();
        }
        let options = session.options();
        assert_eq!((options.max_scan, options.timeout, options.time_zone), (max_scan, timeout, zone));
        assert!(session.settings().iter().any(|[name, _, configured, _]| name == "max_scan" && configured == "1000000"));
    }
}
