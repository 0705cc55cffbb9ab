//! Who is calling: users with passwords, tokens of our own and of others, client certificates. It says who somebody is and which groups they
//! are in; what they may do is the engine's to decide, and how a refusal looks on the wire is each protocol's.

#![expect(dead_code, reason = "the server command that uses it is being built")]

mod secret_file;
pub(crate) mod signer;
