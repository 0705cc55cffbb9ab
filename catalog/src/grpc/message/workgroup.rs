//! Workgroups as messages, and back. Their settings are one JSON document, as in the catalog's file.

use glaux_proto::catalog::v1 as proto;

use super::definition::{present, read_time, time, unknown};
use crate::{
    error::{Error, Result},
    model::{Workgroup, WorkgroupSettings, WorkgroupState},
};

/// # Errors
/// `Internal` if the settings cannot be encoded.
pub(crate) fn workgroup(workgroup: Workgroup) -> Result<proto::Workgroup> {
    let Workgroup { name, description, created_at, state, settings } = workgroup;
    let state = match state {
        WorkgroupState::Enabled => proto::WorkgroupState::Enabled,
        WorkgroupState::Disabled => proto::WorkgroupState::Disabled,
    };
    let settings = serde_json::to_string(&settings)
        .map_err(|error| Error::internal("the settings of a workgroup could not be encoded").with_source(error))?;
    Ok(proto::Workgroup { name, description, created_at: Some(time(created_at)), state: state.into(), settings })
}

/// # Errors
/// `Invalid` for what is missing and for settings that this release does not know.
pub(crate) fn read_workgroup(message: Option<proto::Workgroup>) -> Result<Workgroup> {
    let message = present(message, "workgroup")?;
    let state = match message.state() {
        proto::WorkgroupState::Enabled => WorkgroupState::Enabled,
        proto::WorkgroupState::Disabled => WorkgroupState::Disabled,
        proto::WorkgroupState::Unspecified => return Err(unknown("state")),
    };
    let settings: WorkgroupSettings = serde_json::from_str(&message.settings).map_err(|error| {
        Error::invalid(format!("the settings of workgroup \"{}\" cannot be decoded", message.name))
            .with_hint("Use the same release of glaux on both sides")
            .with_source(error)
    })?;
    let created_at = read_time(message.created_at, "created_at")?;
    Ok(Workgroup { name: message.name, description: message.description, created_at, state, settings })
}
