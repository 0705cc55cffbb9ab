//! Logins by every proof, and what ends them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use glaux_engine::ErrorKind;
use http::header::AUTHORIZATION;
use tempfile::TempDir;

use super::*;
use crate::auth::{
    is_unauthenticated,
    passwords::{self, PasswordText},
    testing::HandClock,
    users,
};

struct Case {
    folder: TempDir,
    clock: Arc<HandClock>,
}

impl Case {
    fn new() -> Self {
        let case = Self { folder: TempDir::new().unwrap(), clock: Arc::default() };
        case.put("ada", |user| {
            user.groups = vec!["bi".to_owned()];
            user.workgroup = Some("w".to_owned());
        });
        case
    }

    /// Changes a user, or adds one whose password is "right one".
    fn put(&self, name: &str, change: impl FnOnce(&mut User)) {
        let new = || User { password: Some(PasswordText(passwords::hash_cheaply("right one"))), ..User::default() };
        users::edit(&self.folder.path().join("users.toml"), |users| {
            change(users.entry(name.to_owned()).or_insert_with(new));
            Ok(())
        })
        .unwrap();
        self.clock.pass(1);
    }

    fn server(&self, options: &str) -> Authenticator {
        let options = toml::from_str(options).unwrap();
        Authenticator::new(options, self.folder.path(), Arc::<HandClock>::clone(&self.clock)).unwrap()
    }

    fn users(&self) -> Authenticator {
        self.server("identity = \"users\"")
    }
}

fn peer() -> Peer {
    Peer::plain("127.0.0.1:4711".parse().unwrap())
}

fn certified(name: &str) -> Peer {
    let names = CertificateNames {
        common_name: Some(name.to_owned()),
        emails: vec![format!("{name}@example.org")],
        ..CertificateNames::default()
    };
    Peer { certificate: Some(Arc::new(names)), ..peer() }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn headers(authorization: &str) -> HeaderMap {
    [(AUTHORIZATION, authorization.parse().unwrap())].into_iter().collect()
}

async fn by(server: &Authenticator, login: &Login) -> Result<Identity> {
    server.identify(&headers(&format!("Bearer {}", login.token)), &peer()).await
}

#[tokio::test]
async fn a_password_gives_a_token_that_tells_the_session() {
    let case = Case::new();
    let server = case.users();
    let login = server.login(Some(&basic("ada", "right one")), &peer()).await.unwrap();
    let identity = by(&server, &login).await.unwrap();
    assert_eq!(identity, login.identity);
    assert_eq!((identity.user.as_str(), identity.groups.as_slice()), ("ada", ["bi".to_owned()].as_slice()));
    assert!(identity.session.is_some() && !identity.administrator && identity.workgroup.as_deref() == Some("w"));
    assert_eq!(login.expires, case.clock.now() + Duration::from_secs(24 * 3600));
    assert!(!format!("{login:?}").contains(&login.token));

    // A handshake with the token begins another session; the header alone, on any call, none.
    let again = server.login(Some(&format!("Bearer {}", login.token)), &peer()).await.unwrap();
    assert_ne!(again.identity.session, identity.session);
    let bare = server.identify(&headers(&basic("ada", "right one")), &peer()).await.unwrap();
    assert_eq!((bare.user.as_str(), bare.session), ("ada", None));

    // Tokens outlive the process.
    assert_eq!(by(&case.users(), &login).await.unwrap(), identity);
    assert!(Case::new().users().identify(&headers(&format!("Bearer {}", login.token)), &peer()).await.is_err());
}

#[tokio::test]
async fn every_refusal_of_a_password_reads_alike() {
    let case = Case::new();
    case.put("off", |user| user.disabled = true);
    case.put("bare", |user| user.password = None);
    let server = case.users();
    let mut texts = Vec::new();
    for (user, password) in
        [("ada", "wrong one"), ("eve", "right one"), ("off", "right one"), ("bare", ""), ("a\nb", "right one")]
    {
        let error = server.login(Some(&basic(user, password)), &peer()).await.unwrap_err();
        assert!(is_unauthenticated(&error));
        texts.push(format!("{error:?}"));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    for nothing in [None, Some(""), Some("Bearer a.b"), Some("Bearer a.b.c"), Some("Bearer x"), Some("Basic ???")] {
        assert!(is_unauthenticated(&server.login(nothing, &peer()).await.unwrap_err()), "{nothing:?}");
    }
    assert!(is_unauthenticated(&server.identify(&HeaderMap::new(), &certified("ada")).await.unwrap_err()));
}

#[tokio::test]
async fn tokens_end_with_the_user_the_password_and_their_time() {
    let case = Case::new();
    let server = case.users();
    let log_in = || async { server.login(Some(&basic("ada", "right one")), &peer()).await.unwrap() };
    let login = log_in().await;
    case.put("ada", |user| user.administrator = true);
    assert!(by(&server, &login).await.unwrap().administrator, "what the file says now");

    case.put("ada", |user| user.disabled = true);
    assert!(is_unauthenticated(&by(&server, &login).await.unwrap_err()));
    case.put("ada", |user| user.disabled = false);
    assert!(by(&server, &login).await.is_ok());

    case.put("ada", |user| user.password = Some(PasswordText(passwords::hash_cheaply("right one"))));
    assert!(by(&server, &login).await.is_err(), "of the password that was before");
    let login = log_in().await;
    users::edit(&case.folder.path().join("users.toml"), |users| Ok(users.remove("ada"))).unwrap();
    case.clock.pass(1);
    assert!(by(&server, &login).await.is_err());

    case.put("ada", |_| ());
    let login = log_in().await;
    case.clock.pass(24 * 3600);
    assert!(by(&server, &login).await.is_err());
}

#[tokio::test]
async fn a_token_past_half_its_life_is_replaced_in_its_session() {
    let case = Case::new();
    let server = case.server("identity = \"users\"\ntoken_lifetime = \"10m\"");
    let login = server.login(Some(&basic("ada", "right one")), &peer()).await.unwrap();
    let sent = headers(&format!("Bearer {}", login.token));
    case.clock.pass(299);
    assert!(server.renew(&sent, &peer()).await.is_none());
    case.clock.pass(1);
    let renewed = server.renew(&sent, &peer()).await.unwrap();
    assert_eq!(renewed.identity, login.identity);
    case.clock.pass(599);
    assert!(by(&server, &renewed).await.is_ok() && by(&server, &login).await.is_err());
    assert!(server.renew(&headers(&basic("ada", "right one")), &peer()).await.is_none());
}

#[tokio::test]
async fn without_identity_everybody_has_a_session_and_may_do_everything() {
    let case = Case::new();
    let server = case.server("");
    for (sent, user) in [
        (None, "anonymous".to_owned()),
        (Some(basic("eve", "whatever")), "eve".to_owned()),
        (Some(basic("", "")), "anonymous".to_owned()),
        (Some("Bearer whatever".to_owned()), "anonymous".to_owned()),
        (Some("Nonsense".to_owned()), "anonymous".to_owned()),
    ] {
        let login = server.login(sent.as_deref(), &peer()).await.unwrap();
        assert!(login.identity.administrator && login.identity.user == user && login.identity.session.is_some());
        assert_eq!(by(&server, &login).await.unwrap(), login.identity);
        assert!(is_unauthenticated(&by(&case.users(), &login).await.unwrap_err()), "identity was switched on");
    }
    assert_eq!(server.identify(&HeaderMap::new(), &peer()).await.unwrap().session, None);
    let password = case.users().login(Some(&basic("ada", "right one")), &peer()).await.unwrap();
    assert_eq!(by(&server, &password).await.unwrap().user, "anonymous");
}

#[tokio::test]
async fn a_certificate_is_an_identity_and_its_token_needs_it() {
    let case = Case::new();
    case.put("off", |user| user.disabled = true);
    let server = case.server("identity = \"mtls\"");
    let ada = server.identify(&HeaderMap::new(), &certified("ada")).await.unwrap();
    assert_eq!((ada.user.as_str(), ada.groups.len()), ("ada", 1));
    assert!(server.identify(&HeaderMap::new(), &certified("eve")).await.unwrap().groups.is_empty());
    for refused in [certified("off"), certified("a:b"), peer()] {
        assert!(is_unauthenticated(&server.identify(&HeaderMap::new(), &refused).await.unwrap_err()));
    }
    let login = server.login(None, &certified("ada")).await.unwrap();
    let sent = headers(&format!("Bearer {}", login.token));
    assert_eq!(server.identify(&sent, &certified("ada")).await.unwrap(), login.identity);
    for other in [peer(), certified("eve")] {
        assert!(server.identify(&sent, &other).await.is_err());
    }
    assert!(server.login(Some(&basic("ada", "right one")), &certified("ada")).await.is_err());
    let by_email = case.server("identity = [\"users\", \"mtls\"]\ncertificate_name = \"email\"");
    assert_eq!(by_email.login(None, &certified("ada")).await.unwrap().identity.user, "ada@example.org");
    assert_eq!(by_email.login(Some(&basic("ada", "right one")), &certified("x")).await.unwrap().identity.user, "ada");
}

#[tokio::test]
async fn damaged_files_are_errors_at_the_start() {
    let case = Case::new();
    let open = |options: &str| {
        let options = toml::from_str(options).unwrap();
        Authenticator::new(options, case.folder.path(), Arc::new(HandClock::default())).map(|_| ())
    };
    std::fs::write(case.folder.path().join("users.toml"), "[users.x]\noops = 1\n").unwrap();
    let error = open("identity = \"users\"").unwrap_err();
    assert!(error.kind() == ErrorKind::CorruptData && error.message().contains("line 2"), "{error:?}");
    open("").unwrap();
    assert_eq!(open("identity = []").unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn ten_thousand_logins_at_once_end_and_the_next_is_served() {
    let case = Case::new();
    let server = case.users();
    let (sent, wrong) = (basic("ada", "right one"), basic("eve", "whatever"));
    let all = (0..10_000).map(|number| server.login(Some(if number % 50 == 0 { &wrong } else { &sent }), &PEER));
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().flatten().all(|login| login.identity.user == "ada"));
    let turned_away = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(turned_away.clone().all(|error| is_unauthenticated(error) || error.kind() == ErrorKind::Throttled));
    assert!(turned_away.filter(|error| error.kind() == ErrorKind::Throttled).count() > 0, "the queue is bounded");
    assert!(server.login(Some(&sent), &peer()).await.is_ok());
}

static PEER: std::sync::LazyLock<Peer> = std::sync::LazyLock::new(peer);
