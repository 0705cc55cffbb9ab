//! JWTs that somebody else issued: checked by that issuer's public keys, and turned into a user, groups and a role. Where the keys come from is
//! `keys`' business; symmetric signatures and unsigned tokens are never accepted.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use glaux_engine::{Result, clock::Clock};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::{
    AuthOptions, OidcOptions,
    keys::{Keys, PUBLIC_KEY_ALGORITHMS},
    refusal::unauthenticated,
    users::check_name,
};

/// What a JWT says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    pub(super) administrator: bool,
    pub(super) workgroup: Option<String>,
    /// When the token ends, in seconds since 1970, without leeway.
    pub(super) until: i64,
}

/// Checks the tokens of one issuer.
#[derive(Debug)]
pub(super) struct Jwts {
    options: OidcOptions,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
}

type Claims = Map<String, Value>;

impl Jwts {
    /// Reads the keys if they lie in a file; those of a URL are fetched when the first token comes.
    ///
    /// # Errors
    /// `Invalid` for options that cannot be used; as [`Keys::open`].
    pub(super) fn open(options: &AuthOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        options.check()?;
        let issuer = options.oidc.issuer.as_deref().unwrap_or_default();
        let keys = Keys::open(issuer, options.oidc.jwks.as_deref(), Arc::clone(&clock))?;
        Ok(Self { options: options.oidc.clone(), keys: Arc::new(keys), clock })
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// Unauthenticated (see `refusal`), saying what is wrong with the token; `Unavailable` if its key cannot be fetched.
    pub(super) async fn verify(&self, token: &str) -> Result<Bearer> {
        let header = header(token)?;
        let key_name = header.get("kid").and_then(Value::as_str);
        let keys = self.keys.find(key_name, algorithm(&header)?).await?;
        let mut validation = Validation::new(algorithm(&header)?);
        // Only the signature: times are by our clock, and the rest is checked below, where what is missing is refused too.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let claims = keys.iter().find_map(|key| jsonwebtoken::decode::<Claims>(token, key, &validation).ok());
        let claims = claims.ok_or_else(|| unauthenticated("the token's signature is not from its issuer"))?.claims;
        self.check(&claims)?;
        self.bearer(&claims)
    }

    fn check(&self, claims: &Claims) -> Result<()> {
        let (now, leeway) = (self.clock.now().timestamp(), i64::try_from(self.options.leeway.0.as_secs()).unwrap_or(i64::MAX));
        if claims.get("iss").and_then(Value::as_str) != self.options.issuer.as_deref() {
            return Err(unauthenticated("the token is from another issuer"));
        }
        let audience = strings(claims.get("aud"));
        if !self.options.audience.as_slice().iter().any(|wanted| audience.contains(&wanted.as_str())) {
            return Err(unauthenticated("the token is for another audience"));
        }
        let expires = time(claims, "exp")?.ok_or_else(|| unauthenticated("the token has no expiry time"))?;
        if now >= expires.saturating_add(leeway) {
            return Err(unauthenticated("the token has expired"));
        }
        if time(claims, "nbf")?.is_some_and(|begins| now < begins.saturating_sub(leeway)) {
            return Err(unauthenticated("the token is not valid yet"));
        }
        Ok(())
    }

    fn bearer(&self, claims: &Claims) -> Result<Bearer> {
        let user = match &self.options.user_claim {
            Some(claim) => find(claims, claim).and_then(Value::as_str),
            None => ["preferred_username", "email", "sub"].into_iter().find_map(|claim| {
                // An address that nobody verified may be anybody's.
                let unverified = claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false));
                claims.get(claim).and_then(Value::as_str).filter(|name| !unverified && !name.is_empty())
            }),
        };
        let user = user.ok_or_else(|| unauthenticated("the token does not name a user"))?;
        check_name(user).map_err(|error| unauthenticated(&format!("the token cannot be used: {error}")))?;
        let groups: Vec<String> = match find(claims, &self.options.groups_claim) {
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            list => strings(list).into_iter().map(str::to_owned).collect(),
        };
        let administrator = groups.iter().any(|group| self.options.admin_groups.contains(group));
        let workgroup = match &self.options.workgroup_claim {
            None => None,
            Some(claim) => find(claims, claim).and_then(Value::as_str).map(str::to_owned),
        };
        // Checked above: it is there.
        let until = time(claims, "exp")?.unwrap_or_default();
        Ok(Bearer { user: user.to_owned(), groups, administrator, workgroup, until })
    }
}

/// The head of a token, as far as it can be used.
fn header(token: &str) -> Result<Claims> {
    let bytes = token.split('.').next().and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
    let header = bytes.and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok());
    let header = header.ok_or_else(|| unauthenticated("the token is neither the server's nor a JWT"))?;
    // What must be understood, by RFC 7515, is not understood here.
    if header.contains_key("crit") {
        return Err(unauthenticated("the token needs extensions that are not supported"));
    }
    Ok(header)
}

/// How a token is signed, by what its head says; only public keys' algorithms are let through.
fn algorithm(header: &Claims) -> Result<Algorithm> {
    let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = name.parse::<Algorithm>().ok().filter(|algorithm| PUBLIC_KEY_ALGORITHMS.contains(algorithm));
    algorithm.ok_or_else(|| unauthenticated("the token is not signed by a public key's algorithm"))
}

/// A time in seconds since 1970; fractions are cut off.
fn time(claims: &Claims, name: &str) -> Result<Option<i64>> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_i64().or_else(|| value.as_f64().filter(|time| time.is_finite()).map(|time| time as i64));
            number.map(Some).ok_or_else(|| unauthenticated("a time in the token is not a number"))
        }
    }
}

/// A claim by its name, or by a way through objects: `realm_access.roles`.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// A text, or those of a list.
fn strings(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
