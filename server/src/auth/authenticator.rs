//! Turns credentials into an identity, or into a refusal that does not reveal which part was wrong.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use glaux_engine::{Result, clock::Clock};
use http::HeaderMap;
use uuid::Uuid;

use super::{
    AuthOptions, CertificateName, Proof,
    credentials::{Credentials, authorization},
    jwt::Jwts,
    passwords::{Passwords, fingerprint},
    refusal::unauthenticated,
    signer::Signer,
    tokens::{Claims, Issued, Subject, Tokens},
    users::{User, Users, check_name},
};
use crate::transport::{CertificateNames, Peer};

/// The signer's key in the data directory.
const KEY_FILE: &str = "server.key";

/// Who is calling if authentication is off and no name is given.
const ANONYMOUS: &str = "anonymous";

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    /// Whether they may do everything.
    pub(crate) administrator: bool,
    /// The workgroup that the user is bound to.
    pub(crate) workgroup: Option<String>,
    /// The session of the token that they showed; `None` if they showed something else.
    pub(crate) session: Option<Uuid>,
}

/// An identity and a token for it.
#[derive(Clone)]
pub(crate) struct Login {
    /// With the token's session.
    pub(crate) identity: Identity,
    /// For the header `authorization`, behind `Bearer `.
    pub(crate) token: String,
    /// When the token ends.
    pub(crate) expires: DateTime<Utc>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("identity", &self.identity).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Knows who is calling.
#[derive(Debug)]
pub(crate) struct Authenticator {
    options: AuthOptions,
    users: Option<Users>,
    passwords: Passwords,
    jwts: Option<Jwts>,
    signer: Signer,
    tokens: Tokens,
}

/// An identity, and what a token for it has to say.
struct Proven {
    identity: Identity,
    subject: Subject,
    /// What our token said, if one was shown.
    claims: Option<Claims>,
}

impl Authenticator {
    /// Reads the users, the keys and the server's own key, which it makes if there is none.
    ///
    /// # Errors
    /// `Invalid` for options that cannot be meant, `CorruptData` for damaged files, naming them; what the file system says.
    pub(crate) fn new(options: AuthOptions, data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        options.check()?;
        let signer = Signer::load_or_create(&data_dir.join(KEY_FILE))?;
        let path = options.users_path(data_dir);
        let by_file = options.accepts(Proof::Users) || options.accepts(Proof::Mtls);
        let users = by_file.then(|| Users::open(&path, Arc::clone(&clock))).transpose()?;
        if options.accepts(Proof::Users) && users.as_ref().is_some_and(|users| users.current().is_empty()) {
            tracing::warn!(file = %path.display(), "there are no users yet; `glaux user add NAME` adds one");
        }
        let jwts = options.accepts(Proof::Oidc).then(|| Jwts::open(&options, Arc::clone(&clock))).transpose()?;
        let tokens = Tokens::new(signer.clone(), options.token_lifetime.0, Arc::clone(&clock));
        Ok(Self { passwords: Passwords::new(clock), options, users, jwts, signer, tokens })
    }

    /// Signs with the server's own key: for tickets and handles, each with a purpose of its own.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Whether authentication is off.
    pub(crate) fn is_open(&self) -> bool {
        self.options.is_open()
    }

    /// Begins a session for whoever proves who they are by the text of a header `authorization`, or by their certificate. Failures are logged.
    ///
    /// # Errors
    /// Unauthenticated (see `refusal`); `Throttled` if too many log in or failed too often; `Unavailable` if an issuer's keys cannot be fetched.
    pub(super) async fn login(&self, authorization: Option<&str>, peer: &Peer) -> Result<Login> {
        let proven = self.prove(authorization, peer).await.inspect_err(|error| {
            tracing::warn!(%peer, kind = %error.kind(), "failed login: {error}");
        })?;
        let issued = self.tokens.issue(proven.subject);
        Ok(login_of(proven.identity, issued))
    }

    /// Who calls, by a request's headers or by the connection's certificate.
    ///
    /// # Errors
    /// As [`Authenticator::login`].
    pub(super) async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Identity> {
        Ok(self.prove(authorization(headers)?, peer).await?.identity)
    }

    /// A new token of the same session, if the request came with one of ours that is past half its life. Clients take it from a response's
    /// header `authorization`.
    pub(crate) async fn renew(&self, headers: &HeaderMap, peer: &Peer) -> Option<Login> {
        let proven = self.prove(authorization(headers).ok()?, peer).await.ok()?;
        let issued = self.tokens.renew(&proven.claims?)?;
        Some(login_of(proven.identity, issued))
    }

    async fn prove(&self, authorization: Option<&str>, peer: &Peer) -> Result<Proven> {
        if self.is_open() {
            return Ok(self.anybody(Credentials::read(authorization).unwrap_or(Credentials::Nothing)));
        }
        match Credentials::read(authorization)? {
            Credentials::Password { user, password } => self.by_password(&user, &password, peer).await,
            Credentials::Token(token) if Tokens::looks_like_ours(&token) => self.by_token(&token, peer),
            Credentials::Token(token) => self.by_jwt(&token).await,
            Credentials::Nothing => self.by_certificate(peer),
        }
    }

    /// Authentication is off: a name that is given is a label for the history, and everybody is an administrator.
    fn anybody(&self, credentials: Credentials) -> Proven {
        let (user, claims) = match credentials {
            Credentials::Password { user, .. } => (Some(user), None),
            Credentials::Token(token) => {
                let claims = self.tokens.verify(&token).filter(|claims| claims.subject.proof == Proof::None);
                (claims.as_ref().map(|claims| claims.subject.user.clone()), claims)
            }
            Credentials::Nothing => (None, None),
        };
        let user = user.filter(|user| check_name(user).is_ok()).unwrap_or_else(|| ANONYMOUS.to_owned());
        Proven::new(Subject { administrator: true, ..Subject::new(user, Proof::None) }, claims)
    }

    async fn by_password(&self, user: &str, password: &str, peer: &Peer) -> Result<Proven> {
        let Some(users) = self.users.as_ref().filter(|_| self.options.accepts(Proof::Users)) else {
            return Err(unauthenticated("passwords are not accepted here").with_hint("Log in with a token or a certificate"));
        };
        let users = users.current();
        // A name that nobody can have is checked like one that nobody has, and takes no room.
        let name = if check_name(user).is_ok() { user } else { "" };
        let entry = users.get(name).filter(|entry| !entry.disabled);
        let hash = entry.and_then(|entry| entry.password.as_ref());
        let right = self.passwords.check(name, password, hash, peer.address.ip()).await?;
        let Some((entry, hash)) = entry.zip(hash).filter(|_| right) else {
            tracing::warn!(user = ?name, %peer, "wrong password, or no such user");
            return Err(unauthenticated("wrong user or password"));
        };
        let password = Some(fingerprint(&self.signer, hash));
        Ok(Proven::of_user(Subject { password, ..Subject::new(name.to_owned(), Proof::Users) }, Some(entry), None))
    }

    fn by_token(&self, token: &str, peer: &Peer) -> Result<Proven> {
        let invalid = || unauthenticated("the token is no longer valid").with_hint("Log in again");
        let claims = self.tokens.verify(token).filter(|claims| self.options.accepts(claims.subject.proof)).ok_or_else(invalid)?;
        let subject = claims.subject.clone();
        let users = self.users.as_ref().map(Users::current);
        let entry = users.as_ref().and_then(|users| users.get(&subject.user));
        match subject.proof {
            Proof::Users => {
                let hash = entry.and_then(|entry| entry.password.as_ref()).map(|hash| fingerprint(&self.signer, hash));
                if hash.is_none() || hash != subject.password || entry.is_none_or(|entry| entry.disabled) {
                    return Err(invalid());
                }
                Ok(Proven::of_user(subject, entry, Some(claims)))
            }
            // The token alone is not enough: it is of use on connections with the certificate only.
            Proof::Mtls if self.certified(peer).as_deref() == Some(subject.user.as_str()) => {
                let proven = self.by_certificate(peer)?;
                let identity = Identity { session: Some(claims.session), ..proven.identity };
                Ok(Proven { identity, claims: Some(claims), ..proven })
            }
            Proof::Oidc => Ok(Proven::new(subject, Some(claims))),
            Proof::Mtls | Proof::None => Err(invalid()),
        }
    }

    async fn by_jwt(&self, token: &str) -> Result<Proven> {
        let Some(jwts) = &self.jwts else {
            return Err(unauthenticated("this server did not issue the token").with_hint("Log in again"));
        };
        let bearer = jwts.verify(token).await?;
        let subject = Subject {
            groups: bearer.groups,
            administrator: bearer.administrator,
            workgroup: bearer.workgroup,
            until: Some(bearer.until),
            ..Subject::new(bearer.user, Proof::Oidc)
        };
        Ok(Proven::new(subject, None))
    }

    fn by_certificate(&self, peer: &Peer) -> Result<Proven> {
        let nobody =
            || unauthenticated("no credentials were sent").with_hint("Log in with a user and password, a token or a certificate");
        let user = self.certified(peer).ok_or_else(nobody)?;
        check_name(&user).map_err(|error| unauthenticated(&format!("the certificate cannot be used: {error}")))?;
        let users = self.users.as_ref().map(Users::current);
        let entry = users.as_ref().and_then(|users| users.get(&user));
        if entry.is_some_and(|entry| entry.disabled) {
            tracing::warn!(?user, %peer, "the user of a certificate is disabled");
            return Err(nobody());
        }
        Ok(Proven::of_user(Subject::new(user, Proof::Mtls), entry, None))
    }

    /// The user in the connection's certificate, if certificates count.
    fn certified(&self, peer: &Peer) -> Option<String> {
        let names = peer.certificate.as_ref().filter(|_| self.options.accepts(Proof::Mtls))?;
        let CertificateNames { common_name, emails, dns_names, uris } = names.as_ref();
        match self.options.certificate_name {
            CertificateName::Cn => common_name.as_ref(),
            CertificateName::Email => emails.first(),
            CertificateName::Dns => dns_names.first(),
            CertificateName::Uri => uris.first(),
        }
        .cloned()
    }
}

impl Subject {
    fn new(user: String, proof: Proof) -> Self {
        Self { user, proof, password: None, groups: Vec::new(), administrator: false, workgroup: None, until: None }
    }
}

impl Proven {
    /// What the subject says of itself.
    fn new(subject: Subject, claims: Option<Claims>) -> Self {
        let identity = Identity {
            user: subject.user.clone(),
            groups: subject.groups.clone(),
            administrator: subject.administrator,
            workgroup: subject.workgroup.clone(),
            session: claims.as_ref().map(|claims| claims.session),
        };
        Self { identity, subject, claims }
    }

    /// What the file of users says now; nothing of it is kept in tokens.
    fn of_user(subject: Subject, entry: Option<&User>, claims: Option<Claims>) -> Self {
        let mut proven = Self::new(subject, claims);
        if let Some(entry) = entry {
            proven.identity.groups.clone_from(&entry.groups);
            proven.identity.administrator = entry.administrator;
            proven.identity.workgroup.clone_from(&entry.workgroup);
        }
        proven
    }
}

fn login_of(identity: Identity, issued: Issued) -> Login {
    Login { identity: Identity { session: Some(issued.session), ..identity }, token: issued.token, expires: issued.expires }
}

#[cfg(test)]
mod tests;
