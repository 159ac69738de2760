//! Text that may be shown: secrets taken out, control characters made visible, globs matched.

/// Names of query values that are live secrets in user names and topics (Azure SAS tokens, AWS custom
/// authorisers, and the words people use for them).
const SECRETS: [&str; 8] =
    ["sig", "signature", "password", "passwd", "pwd", "token", "secret", "sharedaccesskey"];

/// The text without its secrets: the value of every `sig=` and its like becomes `***`.
///
/// A value ends at `&`, `;`, `,` or white space. Names are compared without case, and a name that ends in one of
/// the words after `-` or `_` counts too (`x-amz-customauthorizer-signature=`).
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals + 1);
        shown.push_str(before);
        rest = after;
        if is_secret(&before[..equals]) {
            let end = rest.find(['&', ';', ',']).into_iter().chain(rest.find(char::is_whitespace)).min();
            shown.push_str("***");
            rest = &rest[end.unwrap_or(rest.len())..];
        }
    }
    shown.push_str(rest);
    shown
}

fn is_secret(before_equals: &str) -> bool {
    let name = before_equals.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// The text on one line: control characters as their escapes, so that no peer can move the reader's cursor; so are
/// those that turn the direction of what follows, or show nothing, so that no name can look like another's.
pub fn printable(text: &str) -> String {
    if text.chars().any(is_unseen) {
        text.chars().flat_map(|c| if is_unseen(c) { c.escape_default().collect() } else { vec![c] }).collect()
    } else {
        text.to_owned()
    }
}

fn is_unseen(c: char) -> bool {
    // Marks of direction, joiners, invisible operators, tags (general category Cf), the two line separators, and fillers,
    // which stand for a letter that is not there.
    let is_format = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let is_filler = matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    c.is_control() || is_format || is_filler
}

/// Whether `text` matches the glob: `*` stands for any run of characters, `?` for one.
///
/// Time is bounded by the product of the two lengths.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (text, shown) in [
            ("SharedAccessSignature sr=h&sig=abc%3d&se=17", "SharedAccessSignature sr=h&sig=***&se=17"),
            ("hub/dev/?api-version=2021-04-12&SIG=x", "hub/dev/?api-version=2021-04-12&SIG=***"),
            ("u?x-amz-customauthorizer-signature=q==&a=1", "u?x-amz-customauthorizer-signature=***&a=1"),
            ("design=keep", "design=keep"),
            ("sig=", "sig=***"),
            ("no secrets", "no secrets"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, matches) in [
            ("sensor-*", "sensor-1", true),
            ("sensor-*", "sensor-", true),
            ("sensor-*", "Sensor-1", false),
            ("*-1", "a-1-1", true),
            ("s?n", "sun", true),
            ("s?n", "sn", false),
            ("*", "", true),
            ("", "a", false),
            ("*a*b*", "xxaxxb", true),
            ("Ä*", "Äpfel", true),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("d1\u{202e}2d\u{200b}"), "d1\\u{202e}2d\\u{200b}");
        assert_eq!(printable("Äpfel 水 e\u{301}"), "Äpfel 水 e\u{301}");
        for unseen in ["\u{e0041}", "\u{180e}", "\u{fffa}", "\u{3164}"] {
            assert_ne!(
                printable(&format!("d1{unseen}")),
                format!("d1{unseen}"),
                "{}",
                unseen.escape_default()
            );
        }
    }
}
