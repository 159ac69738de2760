//! Text on its way into a page.

use crate::base::text::printable;

/// Text, for the inside of an element or a quoted attribute: what could be markup is not, and what could turn the direction
/// of the text, or show nothing, is shown.
pub fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// JSON, for the inside of a `script` element: nothing in it can end the element or begin a comment, and it says the same.
/// (In JSON these characters stand in strings only.)
pub fn json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        assert_eq!(text("<img src=x onerror='a'>\"&"), "&lt;img src=x onerror=&#39;a&#39;&gt;&quot;&amp;");
        assert_eq!(text("\u{202e}evil\n"), "\\u{202e}evil\\n");
    }

    #[test]
    fn no_json_ends_its_script_and_it_says_the_same() {
        let hostile = "</script><!--\u{2028}\u{2029}&";
        let written = serde_json::to_string(hostile).unwrap();
        let safe = json(&written);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }
}
