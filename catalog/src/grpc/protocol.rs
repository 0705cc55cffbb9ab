//! The version of the protocol, and the header by which a client names the version that it speaks.

use crate::error::{Error, ErrorKind, Result};

/// The protocol that this release speaks.
pub(super) const PROTOCOL: u32 = 1;

/// The oldest protocol that this release understands.
pub(super) const OLDEST_PROTOCOL: u32 = 1;

/// The header of a call with the protocol that its client speaks.
pub(super) const PROTOCOL_HEADER: &str = "x-glaux-catalog-protocol";

/// Checks the protocol of a client.
///
/// # Errors
/// `Unsupported`.
pub(super) fn check_protocol(spoken: u32) -> Result<()> {
    if (OLDEST_PROTOCOL..=PROTOCOL).contains(&spoken) {
        return Ok(());
    }
    let message = format!(
        "the client speaks protocol {spoken} of the catalog service, and the service protocols {OLDEST_PROTOCOL} to {PROTOCOL}"
    );
    Err(Error::new(ErrorKind::Unsupported, message).with_hint("Use the same release of glaux on both sides"))
}
