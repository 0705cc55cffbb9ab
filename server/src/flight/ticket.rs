//! Tickets: which result a client may fetch. Opaque to clients, signed, bound to a user, and valid for a time.

use chrono::{DateTime, Utc};
use glaux_engine::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::{auth::signer::Signer, statements::gone};

const PURPOSE: &str = "ticket";

/// The layout of what is signed; a change of the layout changes it.
const VERSION: u8 = 1;

const FIXED: usize = 1 + 16 + 2 + 8;

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The statement whose result it is.
    pub(super) statement: Uuid,
    /// Which of the result's streams.
    pub(super) endpoint: u16,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) user: String,
}

impl Ticket {
    pub(super) fn sign(&self, signer: &Signer) -> Vec<u8> {
        let mut payload = Vec::with_capacity(FIXED + self.user.len());
        payload.push(VERSION);
        payload.extend_from_slice(self.statement.as_bytes());
        payload.extend_from_slice(&self.endpoint.to_be_bytes());
        payload.extend_from_slice(&self.expires_at.timestamp_millis().to_be_bytes());
        payload.extend_from_slice(self.user.as_bytes());
        signer.sign(PURPOSE, &payload)
    }

    /// Reads a ticket that `user` shows. Its time may be over.
    ///
    /// # Errors
    /// `Invalid` if this server did not issue it, `Denied` if it is another user's.
    pub(super) fn verify(signed: &[u8], user: &str, signer: &Signer) -> Result<Self> {
        let ticket = signer.verify(PURPOSE, signed).and_then(Self::parse).ok_or_else(|| {
            Error::invalid("this server did not issue the ticket").with_hint("Ask for the result with GetFlightInfo again")
        })?;
        if ticket.user != user {
            return Err(Error::new(ErrorKind::Denied, "the ticket belongs to another user")
                .with_hint("Fetch a result as the user who asked for it"));
        }
        Ok(ticket)
    }

    /// # Errors
    /// `NotFound` if its time is over.
    pub(super) fn check_time(&self, now: DateTime<Utc>) -> Result<()> {
        if self.expires_at <= now { Err(gone()) } else { Ok(()) }
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let (fixed, user) = payload.split_first_chunk::<FIXED>()?;
        if fixed[0] != VERSION {
            return None;
        }
        Some(Self {
            statement: Uuid::from_slice(&fixed[1..17]).ok()?,
            endpoint: u16::from_be_bytes(fixed[17..19].try_into().ok()?),
            expires_at: DateTime::from_timestamp_millis(i64::from_be_bytes(fixed[19..].try_into().ok()?))?,
            user: String::from_utf8(user.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        let expires_at = DateTime::from_timestamp_millis(1_000_000).unwrap();
        Ticket { statement: Uuid::from_u128(7), endpoint: 3, expires_at, user: "ada".to_owned() }
    }

    #[test]
    fn a_ticket_is_its_users_until_its_time_is_over() {
        let signer = Signer::random();
        let signed = ticket().sign(&signer);
        let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
        let verified = Ticket::verify(&signed, "ada", &signer).unwrap();
        assert_eq!(verified, ticket());
        assert!(verified.check_time(at(999_999)).is_ok());
        assert_eq!(verified.check_time(at(1_000_000)).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(Ticket::verify(&signed, "bob", &signer).unwrap_err().kind(), ErrorKind::Denied);
    }

    #[test]
    fn forged_tickets_are_refused() {
        let signer = Signer::random();
        let signed = ticket().sign(&signer);
        let invalid = |bytes: &[u8]| Ticket::verify(bytes, "ada", &signer).unwrap_err().kind() == ErrorKind::Invalid;
        for at in 0..signed.len() {
            let mut forged = signed.clone();
            forged[at] ^= 1;
            assert!(invalid(&forged), "byte {at}");
        }
        for length in 0..signed.len() {
            assert!(invalid(&signed[..length]), "length {length}");
        }
        assert!(invalid(&signer.sign("token", &signed[..signed.len() - 32])));
        assert!(invalid(&ticket().sign(&Signer::random())));
    }
}
