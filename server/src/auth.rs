//! Who is calling: users with passwords, tokens of our own and of others, client certificates. `caller` is the one way to ask, for every door.
//! It says who somebody is and which groups they are in; what they may do is the engine's to decide, and how a refusal looks on the wire is
//! each door's.

mod assigned;
mod authenticator;
mod caller;
mod credentials;
mod exposure;
mod jwt;
mod keys;
mod options;
pub(crate) mod passwords;
mod refusal;
mod secret_file;
pub(crate) mod signer;
#[cfg(test)]
mod testing;
mod tokens;
pub(crate) mod users;

pub(crate) use self::{
    assigned::Assigned,
    authenticator::{Authenticator, Identity},
    caller::Sender,
    exposure::refuse_open_listener,
    options::{AuthOptions, CertificateName, OidcOptions, Proof},
    refusal::{is_unauthenticated, unauthenticated},
};
