//! Points at which to split a listing of which only the first page is known.
//!
//! Names are read as fractions whose digits are the characters seen (with others of their class: all digits if there is one), so that
//! equal distances have about equally many names. A point is a guess: any point splits a listing correctly, a bad one into unequal parts.

/// Digits of a fraction that count; more do not fit into an `f64`.
const PLACES: usize = 9;
/// The growth of the parts if the end is not known, as each empty part costs a page.
const GROWTH: f64 = 4.0;
/// Places before the first difference that take a carry.
const CARRY: usize = 3;

/// The characters of names, in order.
#[derive(Debug)]
struct Alphabet(Vec<char>);

impl Alphabet {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut seen: Vec<char> = names.flat_map(str::chars).collect();
        seen.sort_unstable();
        seen.dedup();
        let any = |range: std::ops::RangeInclusive<char>| seen.iter().any(|c| range.contains(c));
        let mut all = seen.clone();
        for (class, wider) in [('0'..='9', None), ('a'..='f', Some('g'..='z')), ('A'..='F', Some('G'..='Z'))] {
            if any(class.clone()) {
                all.extend(class);
            }
            if let Some(wider) = wider.filter(|wider| any(wider.clone())) {
                all.extend(wider);
            }
        }
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    fn base(&self) -> f64 {
        self.0.len().max(2) as f64
    }

    /// The fraction of a text.
    fn fraction(&self, text: &str) -> f64 {
        let places = text.chars().take(PLACES).map(|c| self.0.partition_point(|known| *known < c).min(self.0.len() - 1));
        places.fold((0.0, 1.0), |(sum, unit), place| (sum + place as f64 * unit / self.base(), unit / self.base())).0
    }

    fn text(&self, mut fraction: f64) -> String {
        let mut text = String::with_capacity(PLACES);
        for _ in 0..PLACES {
            fraction *= self.base();
            let place = (fraction.floor().max(0.0) as usize).min(self.0.len() - 1);
            text.push(self.0[place]);
            fraction -= place as f64;
        }
        text
    }
}

/// Points that split what comes after the last of `names`, a full page, into parts of about a page: ascending, after the last name and before
/// `until`. If the end is not known, or far away, the parts grow.
pub(super) fn points(names: &[&str], until: Option<&str>, most: usize) -> Vec<String> {
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return Vec::new() };
    let shared = first.char_indices().zip(last.chars()).take_while(|((_, a), b)| a == b);
    let shared: Vec<(usize, char)> = shared.map(|(a, _)| a).collect();
    // Not within the key of `key=value`, which has other characters.
    let value = shared.iter().position(|(_, c)| *c == '=').map_or(0, |at| at + 1);
    let places = shared.len().saturating_sub(CARRY).max(value);
    let cut = last.char_indices().nth(places).map_or(last.len(), |(at, _)| at);
    let alphabet = Alphabet::of(names.iter().filter_map(|name| name.get(cut..)));
    if alphabet.0.len() < 2 {
        return Vec::new();
    }
    let (head, from) = (&last[..cut], alphabet.fraction(&last[cut..]));
    let page = from - alphabet.fraction(first.get(cut..).unwrap_or_default());
    if page <= 0.0 {
        return Vec::new();
    }
    let end = match until {
        Some(until) => until.strip_prefix(head).map_or(1.0, |rest| alphabet.fraction(rest)),
        None => 1.0,
    };
    let pages = (end - from) / page;
    let is_known = until.is_some_and(|until| until.starts_with(head)) && pages <= most as f64;
    let mut points = Vec::new();
    let mut distance = page;
    while from + distance < end && points.len() < most {
        points.push(format!("{head}{}", alphabet.text(from + distance)));
        distance = if is_known { distance + page } else { distance * GROWTH };
    }
    points.retain(|point| point.as_str() > *last && until.is_none_or(|until| point.as_str() < until));
    points.sort_unstable();
    points.dedup();
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn even_names_are_split_into_pages() {
        let names: Vec<String> = (0..1000).map(|n| format!("user={n:07}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let known = points(&names, Some("user=0010000"), 64);
        assert!((8..=9).contains(&known.len()), "{known:?}");
        let far = points(&names, Some("user=9"), 64);
        assert!(far.len() < 15 && far[0].as_str() < "user=0002010" && far[0].as_str() > "user=0001990", "{far:?}");
        assert!(!points(&names, None, 64).is_empty());
    }

    #[test]
    fn what_cannot_be_guessed_is_not_split() {
        assert!(points(&[], None, 9).is_empty());
        assert!(points(&["a"], None, 9).is_empty());
        assert!(points(&["é", "é"], Some("é"), 9).is_empty());
    }

    proptest! {
        #[test]
        fn points_are_in_order_and_within(mut names in prop::collection::vec("\\PC{0,9}", 1..9), until in prop::option::of("\\PC{0,9}")) {
            names.sort();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let points = points(&names, until.as_deref(), 16);
            prop_assert!(points.len() <= 16);
            prop_assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", points);
            prop_assert!(points.iter().all(|point| point.as_str() > names[names.len() - 1]));
            prop_assert!(points.iter().all(|point| until.as_ref().is_none_or(|until| point < until)));
        }
    }
}
