//! One form for entity tags, so that the tag of a listing, the tag of an answer and the tag sent as `If-Match` can be compared.
//!
//! HTTP puts them in quotes, `"..."`, with `W/` before weak ones. S3 lists them as it answers. Azure, and servers that imitate S3 or Google, list
//! them without quotes and answer with quotes. The form here is HTTP's. Local files have tags of their own, which no server sees.

/// The tag as HTTP writes it.
pub(super) fn normal(tag: &str) -> String {
    let tag = tag.trim();
    let (weak, rest) = split(tag);
    // A quote within is no part of any tag: it is quoted in a way that only its store understands.
    if rest.is_empty() || opaque(rest).contains('"') {
        return tag.to_owned();
    }
    format!("{}\"{}\"", if weak { "W/" } else { "" }, opaque(rest))
}

/// [`normal`] for the tag of an object, if it has one. One that is empty tells nothing.
pub(super) fn normalise(tag: &mut Option<String>) {
    *tag = tag.take().filter(|tag| !opaque(split(tag.trim()).1).is_empty()).map(|tag| normal(&tag));
}

/// What to send as `If-Match` to get the version with this tag and no other; nothing for a weak tag, which by HTTP never matches: whoever asks compares
/// what comes.
pub(super) fn condition(tag: &str) -> Option<String> {
    match tag.trim() {
        "*" => Some("*".to_owned()),
        tag => (!split(tag).0).then(|| normal(tag)),
    }
}

/// Whether two tags are of one version. A proxy that compresses makes a tag weak, so weak and strong ones of the same text are.
#[must_use]
pub(crate) fn is_same_version(one: &str, other: &str) -> bool {
    opaque(split(one.trim()).1) == opaque(split(other.trim()).1)
}

/// Whether the tag is weak, and the rest of it.
fn split(tag: &str) -> (bool, &str) {
    match tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")) {
        Some(rest) => (true, rest),
        None => (false, tag),
    }
}

/// The text between the quotes, if there are any.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_form() {
        for (spelling, form, sent) in [
            ("\"0x8D\"", "\"0x8D\"", Some("\"0x8D\"")),
            ("0x8D", "\"0x8D\"", Some("\"0x8D\"")),
            (" 0x8D ", "\"0x8D\"", Some("\"0x8D\"")),
            ("d41d8cd9-2", "\"d41d8cd9-2\"", Some("\"d41d8cd9-2\"")),
            ("W/\"a\"", "W/\"a\"", None),
            ("W/a", "W/\"a\"", None),
            ("w/\"a\"", "W/\"a\"", None),
            ("a\"b", "a\"b", Some("a\"b")),
            ("*", "\"*\"", Some("*")),
        ] {
            assert_eq!((normal(spelling).as_str(), condition(spelling).as_deref()), (form, sent), "{spelling}");
        }
        for (one, other, same) in [
            ("a", "\"a\"", true),
            ("W/\"a\"", "\"a\"", true),
            ("W/a", "\"a\"", true),
            ("\"a\"", "\"b\"", false),
            ("a", "A", false),
        ] {
            assert_eq!((is_same_version(one, other), is_same_version(other, one)), (same, same), "{one} {other}");
        }
        let normalised = |tag: &str| {
            let mut tag = Some(tag.to_owned());
            normalise(&mut tag);
            tag
        };
        assert_eq!(normalised("a").as_deref(), Some("\"a\""));
        assert_eq!((normalised(""), normalised("\"\""), normalised("W/\"\"")), (None, None, None));
    }
}
