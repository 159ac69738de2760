//! Scalars of the protocols: codes, topics, bytes, rates, keep-alives.

use super::{Scalar, Wrong, did_you_mean, not_a_word, time};
use crate::azure::Code;
use crate::mqtt::topic::TopicProblem;
use crate::profile::codes::disconnect;
use crate::profile::nearest::nearest;
use crate::profile::schema::{Type, code_list};

pub(super) fn reason(name: &str, text: &str) -> Result<Scalar, Wrong> {
    disconnect(text).map(Scalar::Code).ok_or_else(|| {
        let words = Type::Reason.choices();
        let meant = did_you_mean(nearest(text, words.iter().map(String::as_str)));
        Wrong::new(format!("`{name}` cannot be `{text}`"))
            .label(meant)
            .help(format!("write a number from 0 to 255, or one of {}", code_list(words)))
    })
}

pub(super) fn azure_code(name: &str, text: &str) -> Result<Scalar, Wrong> {
    let code = text.parse::<u32>().ok().and_then(|number| Code::try_from(number).ok());
    code.map(Scalar::AzureCode).ok_or_else(|| {
        let named = Code::ALL.into_iter().find(|code| code.name().eq_ignore_ascii_case(text));
        let near = || {
            let number = text.parse::<u32>().ok()?;
            let code = Code::ALL.into_iter().min_by_key(|code| code.number().abs_diff(number))?;
            Some(code).filter(|code| code.number().abs_diff(number) < 10)
        };
        let meant = named.or_else(near).map(|code| code.number().to_string());
        not_a_word(name, text, meant.as_deref(), &Type::AzureCode)
    })
}

pub(super) fn topic(
    name: &str,
    topic: Scalar,
    check: impl Fn(&str) -> Result<(), TopicProblem>,
) -> Result<Scalar, Wrong> {
    let Scalar::Text(text) = &topic else { return Ok(topic) };
    match check(text) {
        Ok(()) => Ok(topic),
        Err(problem) => Err(Wrong::new(format!("`{name}`: `{text}` {problem}")).help(match problem {
            TopicProblem::Wildcard => "write the name of one topic, such as `plant/7/temperature`",
            TopicProblem::Empty
            | TopicProblem::TooLong
            | TopicProblem::NullCharacter
            | TopicProblem::MultiLevelPlace
            | TopicProblem::SingleLevelPlace
            | TopicProblem::Share => {
                "`+` stands for one whole level, `#` at the end for all that follow: `plant/+/temperature`, `plant/#`"
            }
        })),
    }
}

/// Two digits a byte, with or without spaces between bytes.
pub(super) fn hex(name: &str, text: &str) -> Result<Scalar, Wrong> {
    /// In bytes.
    const MOST: usize = 65_536;
    let wrong = |what: String| {
        Wrong::new(format!("`{name}`: {what}"))
            .help("write two hexadecimal digits for each byte, in quotes: \"d0 00\" is a PINGRESP")
    };
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        if let Some(other) = word.chars().find(|digit| !digit.is_ascii_hexdigit()) {
            return Err(wrong(format!("`{other}` in `{word}` is not a hexadecimal digit")));
        }
        if !word.len().is_multiple_of(2) {
            return Err(wrong(format!("`{word}` has an odd number of digits")));
        }
        let pairs = (0..word.len()).step_by(2).filter_map(|at| word.get(at..at + 2));
        bytes.extend(pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
    }
    if bytes.len() > MOST {
        return Err(Wrong::new(format!("`{name}` has {} bytes; at most {MOST} are sent", bytes.len())));
    }
    Ok(Scalar::Bytes(bytes))
}

pub(super) fn rate(name: &str, text: &str) -> Result<Scalar, Wrong> {
    text.parse().map(Scalar::Rate).map_err(|problem: String| {
        let (message, help) = problem.split_once("; ").unwrap_or((&problem, "write for example 64kbit/s"));
        Wrong::new(format!("`{name}`: {message}")).help(help)
    })
}

pub(super) fn seconds(name: &str, zero: bool, text: &str) -> Result<Scalar, Wrong> {
    let Scalar::Time(exact) = time(name, zero, text)? else {
        return Err(Wrong::new(format!("`{name}` is not a time")));
    };
    let fits = u16::try_from(exact.as_secs()).ok().filter(|_| exact.subsec_nanos() == 0);
    fits.map(Scalar::Seconds).ok_or_else(|| {
        Wrong::new(format!("`{name}` cannot be {text}: MQTT says keep-alives in whole seconds, in 16 bits"))
            .help(format!("write {}", Type::Seconds { zero }.words()))
    })
}
