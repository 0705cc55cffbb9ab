//! The patterns by which metadata is filtered: SQL's LIKE with `\` as escape, matched against names of the catalog. Whatever its case, a
//! pattern finds the names that are stored in lower case.

use glaux_catalog::ident::fold;

/// What `SQL_SEARCH_STRING_ESCAPE` announces.
pub(super) const ESCAPE: char = '\\';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `%`
    Any,
    /// `_`
    One,
    Exactly(char),
}

/// A filter on names. Without a pattern every name passes.
#[derive(Debug, Clone)]
pub(super) struct NamePattern(Option<Vec<Part>>);

impl NamePattern {
    pub(super) fn new(pattern: Option<&str>) -> Self {
        Self(pattern.map(parse))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|parts| matches(parts, name))
    }
}

/// An escape at the end stands for itself.
fn parse(pattern: &str) -> Vec<Part> {
    let pattern = fold(pattern);
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let part = match c {
            '%' if parts.last() == Some(&Part::Any) => continue,
            '%' => Part::Any,
            '_' => Part::One,
            ESCAPE => Part::Exactly(chars.next().unwrap_or(ESCAPE)),
            other => Part::Exactly(other),
        };
        parts.push(part);
    }
    parts
}

/// Goes back to the last `%` only: the time is at most the product of both lengths.
fn matches(parts: &[Part], name: &str) -> bool {
    let mut rest = name;
    let mut at = 0;
    let mut last_any: Option<(usize, &str)> = None;
    loop {
        let mut following = rest.chars();
        let next = following.next();
        match (parts.get(at), next) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                at += 1;
                last_any = Some((at, rest));
                continue;
            }
            (Some(Part::One), Some(_)) => {
                at += 1;
                rest = following.as_str();
                continue;
            }
            (Some(Part::Exactly(wanted)), Some(c)) if *wanted == c => {
                at += 1;
                rest = following.as_str();
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = last_any else { return false };
        let mut skipped = from.chars();
        if skipped.next().is_none() {
            return false;
        }
        at = after;
        rest = skipped.as_str();
        last_any = Some((after, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let pattern = NamePattern::new(Some(pattern));
        for name in matching {
            assert!(pattern.matches(name), "{name}");
        }
        for name in other {
            assert!(!pattern.matches(name), "{name}");
        }
    }

    #[test]
    fn percent_is_any_text_and_underscore_one_character() {
        check("%", &["", "a", "abc"], &[]);
        check("a%", &["a", "abc"], &["", "ba"]);
        check("%b%b", &["bb", "abcb", "abbb"], &["b", "abc", "bba"]);
        check("a_c", &["abc", "aéc"], &["ac", "abbc"]);
        check("_%_", &["ab", "abc"], &["", "a"]);
        check("%%a%%", &["a", "bab"], &["b"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn a_backslash_takes_the_next_character_literally() {
        check(r"order\_lines", &["order_lines"], &["orderxlines"]);
        check(r"100\%", &["100%"], &["100", "1000"]);
        check(r"a\\b", &[r"a\b"], &["ab"]);
        check(r"\a", &["a"], &[r"\a"]);
        check(r"a\", &[r"a\"], &["a"]);
    }

    #[test]
    fn patterns_fold_and_names_are_taken_as_they_are() {
        check("ORDERS", &["orders"], &["order"]);
        check("Ä%", &["äpfel"], &["apfel"]);
        assert!(NamePattern::new(None).matches("anything"));
    }

    #[test]
    fn hostile_patterns_end() {
        let pattern = format!("{}b", "%a".repeat(200));
        check(&pattern, &[], &[&"a".repeat(2000)]);
    }
}
