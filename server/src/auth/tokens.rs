//! Bearer tokens that the server issues: who logged in, by which proof, in which session, and until when. Anybody can read them, nobody else can
//! make them. `authenticator` checks whether the user still exists.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::clock::Clock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Proof, secret_file, signer::MAC_BYTES, signer::Signer};

const PURPOSE: &str = "token";

/// The version of the payload; others are refused.
const VERSION: u8 = 1;

/// Bytes of the longest token that is looked at.
const MAX_TOKEN: usize = 16 * 1024;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "sid", with = "as_text")]
    pub(super) session: Uuid,
    pub(super) subject: Subject,
    /// Seconds since 1970.
    #[serde(rename = "iat")]
    issued: i64,
    #[serde(rename = "exp")]
    expires: i64,
}

/// Who a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) user: String,
    pub(super) proof: Proof,
    /// Tells the password that it was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<u64>,
    /// What another issuer's token said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) administrator: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) workgroup: Option<String>,
    /// When that token ends, and with it every renewal; seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
}

/// A token that was just issued.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) token: String,
    pub(super) session: Uuid,
    pub(super) expires: DateTime<Utc>,
}

/// Issues tokens and knows them again.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    signer: Signer,
    lifetime: TimeDelta,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    pub(super) fn new(signer: Signer, lifetime: Duration, clock: Arc<dyn Clock>) -> Self {
        // A lifetime beyond what a calendar holds is a century.
        let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX).min(TimeDelta::days(36_500));
        Self { signer, lifetime, clock }
    }

    /// A token of a session of its own.
    pub(super) fn issue(&self, subject: Subject) -> Issued {
        let session = uuid::Builder::from_random_bytes(secret_file::random()).into_uuid();
        self.sign(session, subject)
    }

    /// A token of the same session that lives longer, if half of this one's life is over and the other would live longer.
    pub(super) fn renew(&self, claims: &Claims) -> Option<Issued> {
        let half_over = self.clock.now().timestamp() - claims.issued >= (claims.expires - claims.issued) / 2;
        let issued = half_over.then(|| self.sign(claims.session, claims.subject.clone()))?;
        (issued.expires.timestamp() > claims.expires).then_some(issued)
    }

    fn sign(&self, session: Uuid, subject: Subject) -> Issued {
        let now = self.clock.now();
        let end = (now + self.lifetime).timestamp();
        let expires = subject.until.map_or(end, |until| until.min(end));
        let claims = Claims { version: VERSION, session, subject, issued: now.timestamp(), expires };
        // Neither a map with odd keys nor a number without a form is in it: writing it cannot fail.
        let payload = serde_json::to_vec(&claims).unwrap_or_default();
        let mac = self.signer.mac(PURPOSE, &payload);
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac));
        Issued { token, session, expires: DateTime::from_timestamp(expires, 0).unwrap_or(now) }
    }

    /// What a token says, if it is ours and still valid.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (payload, mac) = token.split_once('.')?;
        let mut signed = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok().filter(|mac| mac.len() == MAC_BYTES)?;
        signed.extend_from_slice(&mac);
        let claims: Claims = serde_json::from_slice(self.signer.verify(PURPOSE, &signed)?).ok()?;
        let valid = claims.version == VERSION && self.clock.now().timestamp() < claims.expires;
        valid.then_some(claims)
    }

    /// Whether a token has the shape of ours, rather than a JWT's.
    pub(super) fn looks_like_ours(token: &str) -> bool {
        token.matches('.').count() == 1
    }
}

/// A UUID as text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::HandClock;

    fn subject() -> Subject {
        Subject {
            user: "ada".to_owned(),
            proof: Proof::Users,
            password: Some(7),
            groups: Vec::new(),
            administrator: false,
            workgroup: None,
            until: None,
        }
    }

    fn tokens() -> (Tokens, Arc<HandClock>, Signer) {
        let (clock, signer) = (Arc::new(HandClock::default()), Signer::random());
        let tokens = Tokens::new(signer.clone(), Duration::from_secs(100), Arc::<HandClock>::clone(&clock));
        (tokens, clock, signer)
    }

    #[test]
    fn tokens_are_known_again_until_they_expire() {
        let (tokens, clock, _) = tokens();
        let issued = tokens.issue(subject());
        let claims = tokens.verify(&issued.token).unwrap();
        assert_eq!((&claims.subject, claims.session), (&subject(), issued.session));
        assert!(Tokens::looks_like_ours(&issued.token) && !Tokens::looks_like_ours("a.b.c"));
        assert_ne!(tokens.issue(subject()).session, issued.session);
        clock.pass(99);
        assert!(tokens.verify(&issued.token).is_some());
        clock.pass(1);
        assert_eq!(tokens.verify(&issued.token), None);
    }

    #[test]
    fn forged_tokens_and_those_of_another_purpose_are_nobodys() {
        let (tokens, _, signer) = tokens();
        let token = tokens.issue(subject()).token;
        let (payload, mac) = token.split_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let forged = String::from_utf8(bytes.clone()).unwrap().replace("ada", "eve");
        let with = |payload: &[u8], mac: &[u8]| format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac));
        let ours = URL_SAFE_NO_PAD.decode(mac).unwrap();
        for bad in [
            with(forged.as_bytes(), &ours),
            with(&bytes, &signer.mac("ticket", &bytes)),
            with(&bytes, &Signer::random().mac(PURPOSE, &bytes)),
            with(&bytes, &ours[..31]),
            with(b"{}", &signer.mac(PURPOSE, b"{}")),
            with(&[], &signer.sign(PURPOSE, &bytes)),
            payload.to_owned(),
            format!("{token}."),
            format!("{token}="),
            String::new(),
            ".".to_owned(),
            "x".repeat(1 << 20),
        ] {
            assert_eq!(tokens.verify(&bad), None, "{bad:.80}");
        }
        let old = String::from_utf8(bytes).unwrap().replace("\"v\":1", "\"v\":0");
        assert_eq!(tokens.verify(&with(old.as_bytes(), &signer.mac(PURPOSE, old.as_bytes()))), None);
    }

    #[test]
    fn past_half_its_life_a_token_is_renewed_within_its_session() {
        let (tokens, clock, _) = tokens();
        let first = tokens.verify(&tokens.issue(subject()).token).unwrap();
        clock.pass(49);
        assert!(tokens.renew(&first).is_none());
        clock.pass(1);
        let second = tokens.renew(&first).unwrap();
        assert_eq!(second.session, first.session);
        clock.pass(99);
        assert!(tokens.verify(&second.token).is_some());
    }

    #[test]
    fn no_renewal_outlives_the_token_that_was_logged_in_with() {
        let (tokens, clock, _) = tokens();
        let until = Some(clock.now().timestamp() + 60);
        let issued = tokens.issue(Subject { until, ..subject() });
        let claims = tokens.verify(&issued.token).unwrap();
        clock.pass(59);
        assert!(tokens.renew(&claims).is_none());
        clock.pass(1);
        assert_eq!(tokens.verify(&issued.token), None);
    }
}
