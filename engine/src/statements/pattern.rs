//! Hive's patterns, as `SHOW` takes them: `*` and `.*` for any characters, `.` for one, `|` between alternatives, in any case.

/// Whether a name fits a pattern. No pattern fits everything.
pub(super) fn matches(pattern: Option<&str>, name: &str) -> bool {
    let Some(pattern) = pattern else { return true };
    let name: Vec<char> = name.to_lowercase().chars().collect();
    pattern.to_lowercase().split('|').any(|alternative| {
        let alternative = alternative.trim().replace(".*", "*");
        fits(&alternative.chars().collect::<Vec<_>>(), &name)
    })
}

/// Goes back to the last `*` when stuck, so that no pattern takes more than `pattern x name` steps.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '.' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_hives() {
        for (pattern, name, fits) in [
            ("sales", "sales", true),
            ("sales", "sales_2024", false),
            ("SALES*", "sales_2024", true),
            ("sales.*", "sales", true),
            ("*ale*", "sales", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("x|sa.es | y", "sales", true),
            ("", "sales", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(Some(pattern), name), fits, "{pattern} {name}");
        }
        assert!(matches(None, "anything"));
    }
}
