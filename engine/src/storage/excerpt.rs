//! Excerpts of stores' answers, for messages.

/// A text of somebody else's on one line, without what a terminal would act on, and not endless.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let mut excerpt = String::new();
    for c in text.chars().take(most) {
        match c {
            '\n' | '\r' | '\t' => excerpt.push(' '),
            c if c.is_control() => excerpt.extend(c.escape_default()),
            c => excerpt.push(c),
        }
    }
    if text.chars().nth(most).is_some() {
        excerpt.push_str("...");
    }
    excerpt
}
