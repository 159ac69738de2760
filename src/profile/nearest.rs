//! The name that was probably meant.

/// The candidate nearest to `name`, if one is near enough to be meant: a slip of a letter or two, another case, a
/// dash for an underscore, or the beginning of it.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(name);
    if plain.is_empty() {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&plain, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(&plain, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(plain_name: &str, candidate: &str) -> usize {
    let candidate = plain(candidate);
    if plain_name.len() >= 3 && candidate.starts_with(plain_name) {
        return 1;
    }
    strsim::damerau_levenshtein(plain_name, &candidate)
}

/// None in a word of two letters, one slip in a short word, two in a longer one, three in a long one.
fn allowed(name: &str, candidate: &str) -> usize {
    match name.chars().count().max(candidate.chars().count()) {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        12.. => 3,
    }
}

fn plain(name: &str) -> String {
    // Longer than any name there is; the distance costs the product of the lengths.
    name.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_known_and_strangers_are_not() {
        let keys = ["for", "toward", "fidelity", "connects", "default_keepalive", "5"];
        for (name, meant) in [
            ("fore", Some("for")),
            ("towards", Some("toward")),
            ("Fidelity", Some("fidelity")),
            ("default-keepalive", Some("default_keepalive")),
            ("conn", Some("connects")),
            ("fid", Some("fidelity")),
            ("fi", None),
            ("banana", None),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, keys), meant, "{name}");
        }
    }
}
