//! The file: changed by several at once, reloaded, damaged.

use std::sync::Mutex as StdMutex;

use glaux_engine::ErrorKind;
use tempfile::TempDir;

use super::*;
use crate::auth::testing::{HAND_CLOCK_START, HandClock};

fn add(path: &Path, name: &str) {
    edit(path, |users| Ok(users.insert(name.to_owned(), User::default()))).unwrap();
}

#[test]
fn those_who_add_at_once_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || (0..5).for_each(|number| add(path, &format!("user-{writer}-{number}"))));
        }
    });
    assert_eq!(read(&path).unwrap().len(), 40);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_is_written_is_read_and_a_failed_change_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    let user = User {
        password: Some(PasswordText(passwords::hash_cheaply("correct horse"))),
        groups: vec!["a \"b\"".to_owned(), "c".to_owned()],
        administrator: true,
        workgroup: Some("bi".to_owned()),
        disabled: true,
    };
    edit(&path, |users| Ok(users.insert("ada = [x] \u{e9}".to_owned(), user.clone()))).unwrap();
    assert_eq!(read(&path).unwrap()["ada = [x] \u{e9}"], user);
    let failed = edit(&path, |users| {
        users.clear();
        Err::<(), _>(Error::invalid("no"))
    });
    assert!(failed.is_err() && read(&path).unwrap().len() == 1);
}

#[test]
fn damage_is_named_by_its_line_and_shows_no_hash() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    for (text, line, what) in [
        ("\n[users.a]\npassword = \"$argon2id$oops\"\n", 3, "not an Argon2 hash"),
        ("[users.a]\n\n\npassword = \"$argon2id$oops\"\nnope = 1\n", 5, "nope"),
        ("[users.a]\npassword = \"$argon2id$oops", 2, ""),
        ("[users.a]\n[users.\"b:c\"]\n", 2, "colon"),
        ("[users.a]\npassword = \"$2b$12$abcdefghijklmnopqrstuv\"\n", 2, "not an Argon2 hash"),
    ] {
        fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        let all = format!("{error:?}");
        assert!(all.contains(&format!("line {line}")) && all.contains(what) && !all.contains("oops"), "{all}");
        assert!(Users::open(&path, Arc::new(HandClock::default())).is_err());
    }
}

#[test]
fn changes_are_seen_after_a_second_and_damage_keeps_what_was_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    let clock = Arc::new(HandClock(StdMutex::new(HAND_CLOCK_START)));
    let users = Users::open(&path, Arc::<HandClock>::clone(&clock)).unwrap();
    assert!(users.current().is_empty());

    add(&path, "ada");
    assert!(users.current().is_empty(), "looked at less than a second ago");
    clock.pass(1);
    assert_eq!(users.current().len(), 1);

    fs::write(&path, "junk").unwrap();
    clock.pass(1);
    assert_eq!(users.current().len(), 1);
    fs::remove_file(&path).unwrap();
    clock.pass(1);
    assert_eq!(users.current().len(), 1);

    add(&path, "bea");
    clock.pass(1);
    assert_eq!(users.current().keys().collect::<Vec<_>>(), ["bea"]);
}

#[test]
fn names_that_would_be_misread_are_refused() {
    for bad in ["", " a", "a ", "a:b", "a\nb", "\u{7f}", &"x".repeat(129)] {
        assert_eq!(check_name(bad).unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
    }
    for good in ["ada", "Ada Lovelace", "ada@example.org", "zo\u{eb}"] {
        check_name(good).unwrap();
    }
}
