//! Tokens of an issuer on loopback, with keys made in the test, and RSA's from a file, for nothing here makes one.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, http::StatusCode, routing::get};
use glaux_engine::ErrorKind;
use jsonwebtoken::{EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::json;

use super::*;
use crate::auth::{is_unauthenticated, testing::HandClock};

const RSA_KEY: &str = include_str!("rsa_key.pem");
const RSA_MODULUS: &str = include_str!("rsa_modulus.txt");

/// A key that signs.
struct Key {
    algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
    pem: String,
}

impl Key {
    fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Algorithm::EdDSA => &rcgen::PKCS_ED25519,
            _ => return Self::rsa(algorithm),
        };
        let pair = KeyPair::generate_for(kind).unwrap();
        let (pem, raw) = (pair.serialize_pem(), pair.der_bytes().to_vec());
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (private, public) = if algorithm == Algorithm::EdDSA {
            (EncodingKey::from_ed_pem(pem.as_bytes()), json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(&raw)}))
        } else {
            let (x, y) = raw[1..].split_at((raw.len() - 1) / 2);
            let curve = if algorithm == Algorithm::ES256 { "P-256" } else { "P-384" };
            (EncodingKey::from_ec_pem(pem.as_bytes()), json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)}))
        };
        Self { algorithm, private: private.unwrap(), public, pem: pair.public_key_pem() }
    }

    fn rsa(algorithm: Algorithm) -> Self {
        let private = EncodingKey::from_rsa_pem(RSA_KEY.as_bytes()).unwrap();
        let public = json!({"kty": "RSA", "n": RSA_MODULUS.trim(), "e": "AQAB"});
        Self { algorithm, private, public, pem: String::new() }
    }

    fn named(&self, name: &str) -> Value {
        let mut key = self.public.clone();
        key["kid"] = json!(name);
        key
    }

    fn sign(&self, name: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: name.map(str::to_owned), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// An issuer's HTTP server.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
    clock: Arc<HandClock>,
}

impl Issuer {
    async fn new(keys: Value) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", socket.local_addr().unwrap());
        let (keys, asked) = (Arc::new(Mutex::new(Some(keys))), Arc::new(AtomicUsize::new(0)));
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let (answer, counter) = (Arc::clone(&keys), Arc::clone(&asked));
        let list = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            let keys = answer.lock().unwrap().clone();
            async move { keys.map(|keys| Json(json!({"keys": keys}))).ok_or(StatusCode::BAD_GATEWAY) }
        };
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(move || async move { Json(discovery) }))
            .route("/realm/keys", get(list));
        tokio::spawn(axum::serve(socket, router).into_future());
        Self { url, keys, asked, clock: Arc::default() }
    }

    fn options(&self, more: &str) -> AuthOptions {
        toml::from_str(&format!("identity = \"oidc\"\n[oidc]\nissuer = \"{}\"\naudience = [\"glaux\", \"bi\"]\n{more}", self.url))
            .unwrap()
    }

    fn jwts(&self, more: &str) -> Jwts {
        Jwts::open(&self.options(more), Arc::<HandClock>::clone(&self.clock)).unwrap()
    }

    fn claims(&self) -> Value {
        let now = self.clock.now().timestamp();
        json!({"iss": self.url, "aud": "glaux", "sub": "id-1", "preferred_username": "ada", "exp": now + 300})
    }

    fn with(&self, more: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn every_public_key_algorithm_is_checked() {
    let keys: Vec<_> =
        PUBLIC_KEY_ALGORITHMS.into_iter().map(|algorithm| (format!("{algorithm:?}"), Key::new(algorithm))).collect();
    let mut list: Vec<_> = keys.iter().map(|(name, key)| key.named(name)).collect();
    list.insert(0, json!({"kty": "future", "kid": "ES256"}));
    let issuer = Issuer::new(json!(list)).await;
    let jwts = issuer.jwts("");
    for (name, key) in &keys {
        for kid in [Some(name.as_str()), None] {
            let token = key.sign(kid, &issuer.claims());
            assert_eq!(jwts.verify(&token).await.unwrap().user, "ada", "{name}");
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let mut forged = URL_SAFE_NO_PAD.decode(signature).unwrap();
            forged[5] ^= 1;
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(forged));
            assert!(is_unauthenticated(&jwts.verify(&forged).await.unwrap_err()), "{name}");
        }
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn tokens_without_a_public_keys_signature_are_refused() {
    let key = Key::new(Algorithm::ES256);
    let issuer = Issuer::new(json!([key.named("k"), {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}])).await;
    let jwts = issuer.jwts("");
    let claims = issuer.claims();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let hmac = |secret: &[u8]| jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).unwrap();
    let good = key.sign(Some("k"), &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let head = |value: &Value| format!("{}.{}.{signature}", part(value), signed.split('.').nth(1).unwrap());
    for bad in [
        format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)),
        format!("{}.{}.", part(&json!({"alg": "ES256"})), part(&claims)),
        hmac(b"secret"),
        hmac(key.public.to_string().as_bytes()),
        head(&json!({"alg": "ES384", "kid": "k"})),
        head(&json!({"alg": "ES256", "kid": "k", "crit": ["x"]})),
        head(&json!({"alg": "RS256"})),
        "a.b.c".to_owned(),
        "..".to_owned(),
        signed.to_owned(),
        format!("{signed}."),
    ] {
        assert!(is_unauthenticated(&jwts.verify(&bad).await.unwrap_err()), "{bad}");
    }
    assert!(jwts.verify(&good).await.is_ok());
}

#[tokio::test]
async fn issuer_audience_and_times_are_checked() {
    let key = Key::new(Algorithm::EdDSA);
    let issuer = Issuer::new(json!([key.public])).await;
    let jwts = issuer.jwts("");
    let now = issuer.clock.now().timestamp();
    for (more, good) in [
        (json!({}), true),
        (json!({"aud": ["other", "bi"]}), true),
        (json!({"aud": "other"}), false),
        (json!({"aud": null}), false),
        (json!({"iss": "http://other"}), false),
        (json!({"iss": null}), false),
        (json!({"exp": now - 59}), true),
        (json!({"exp": now - 60}), false),
        (json!({"exp": null}), false),
        (json!({"exp": "never"}), false),
        (json!({"exp": now as f64 + 0.5}), true),
        (json!({"nbf": now + 60}), true),
        (json!({"nbf": now + 61}), false),
    ] {
        let answer = jwts.verify(&key.sign(None, &issuer.with(&more))).await;
        assert_eq!(answer.is_ok(), good, "{more}: {answer:?}");
        assert!(answer.err().is_none_or(|error| is_unauthenticated(&error)));
    }
}

#[tokio::test]
async fn claims_become_a_user_groups_and_a_role() {
    let key = Key::new(Algorithm::ES384);
    let issuer = Issuer::new(json!([key.public])).await;
    let who = async |options: &str, more: Value| issuer.jwts(options).verify(&key.sign(None, &issuer.with(&more))).await;
    let user = async |more: Value| who("", more).await.unwrap().user;
    assert_eq!(user(json!({"preferred_username": "", "email": "a@b"})).await, "a@b");
    assert_eq!(user(json!({"preferred_username": null, "email": "a@b", "email_verified": false})).await, "id-1");
    assert!(who("", json!({"preferred_username": "a\nb"})).await.is_err());
    assert!(who("user_claim = \"absent\"", json!({})).await.is_err());
    assert_eq!(who("user_claim = \"sub\"", json!({})).await.unwrap().user, "id-1");

    let admins = "admin_groups = [\"ops\"]\nworkgroup_claim = \"team.name\"";
    let bearer = who(admins, json!({"groups": ["bi", "ops"], "team": {"name": "w"}})).await.unwrap();
    assert!(bearer.administrator && bearer.groups == ["bi", "ops"] && bearer.workgroup.as_deref() == Some("w"));
    let bearer = who(admins, json!({"groups": "bi dev"})).await.unwrap();
    assert!(!bearer.administrator && bearer.groups == ["bi", "dev"] && bearer.workgroup.is_none());
    let roles = who("groups_claim = \"realm_access.roles\"", json!({"realm_access": {"roles": ["r"]}})).await.unwrap();
    assert_eq!(roles.groups, ["r"]);
}

#[tokio::test]
async fn new_keys_are_fetched_when_a_token_names_one_at_most_once_a_minute() {
    let (old, new) = (Key::new(Algorithm::ES256), Key::new(Algorithm::ES256));
    let issuer = Issuer::new(json!([old.named("old")])).await;
    let jwts = issuer.jwts("");
    let (by_old, by_new) = (old.sign(Some("old"), &issuer.claims()), new.sign(Some("new"), &issuer.claims()));
    assert!(jwts.verify(&by_old).await.is_ok());
    *issuer.keys.lock().unwrap() = Some(json!([old.named("old"), new.named("new")]));
    for _ in 0..3 {
        assert!(is_unauthenticated(&jwts.verify(&by_new).await.unwrap_err()));
    }
    assert_eq!(issuer.asked(), 1, "asked less than a minute ago");
    issuer.clock.pass(60);
    assert!(jwts.verify(&by_new).await.is_ok());
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_leaves_the_keys_that_are_known() {
    let (old, new) = (Key::new(Algorithm::ES256), Key::new(Algorithm::ES256));
    let issuer = Issuer::new(json!([old.named("old")])).await;
    let jwts = issuer.jwts("leeway = \"24h\"");
    let by_old = old.sign(Some("old"), &issuer.claims());
    *issuer.keys.lock().unwrap() = None;
    assert_eq!(jwts.verify(&by_old).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(jwts.verify(&by_old).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(issuer.asked(), 1);
    *issuer.keys.lock().unwrap() = Some(json!([old.named("old")]));
    issuer.clock.pass(60);
    assert!(jwts.verify(&by_old).await.is_ok());

    *issuer.keys.lock().unwrap() = None;
    issuer.clock.pass(7200);
    assert!(jwts.verify(&by_old).await.is_ok(), "an old key is better than none");
    let error = jwts.verify(&new.sign(Some("new"), &issuer.claims())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn keys_come_from_files_too() {
    let folder = tempfile::TempDir::new().unwrap();
    let issuer = Issuer::new(json!([])).await;
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        let key = Key::new(algorithm);
        for (name, content) in [("key.pem", key.pem.clone()), ("keys.json", json!({"keys": [key.public]}).to_string())] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let jwts = issuer.jwts(&format!("jwks = \"{}\"", path.display()));
            assert!(jwts.verify(&key.sign(Some("any"), &issuer.claims())).await.is_ok(), "{algorithm:?} {name}");
        }
    }
    let path = folder.path().join("junk");
    std::fs::write(&path, "junk").unwrap();
    let open = |place: &str| Jwts::open(&issuer.options(&format!("jwks = \"{place}\"")), Arc::new(HandClock::default()));
    assert_eq!(open(path.to_str().unwrap()).unwrap_err().kind(), ErrorKind::CorruptData);
    assert_eq!(open("/absent/key.pem").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(open("http://keys.example/jwks").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(issuer.asked(), 0);
}
