//! Errors and messages of others, reduced to one line.

use std::error::Error;

/// The longest quoted message.
const MESSAGE_LIMIT: usize = 300;

/// The last error of a chain, on one line: the one that says why.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let text = chain(error)
        .map(|e| e.to_string())
        .filter(|text| !text.is_empty())
        .last()
        .unwrap_or_default();
    let text = one_line(&text);
    match text.strip_prefix("Connection ") {
        Some(rest) => format!("connection {rest}"),
        None => text,
    }
}

/// An error and those that caused it.
pub(super) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// A message of another program, with whitespace folded and its length limited.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::new();
    // Control characters could rewrite a terminal.
    let words = message.split(|c: char| c.is_whitespace() || c.is_control());
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((cut, _)) = line.char_indices().nth(MESSAGE_LIMIT) {
            line.truncate(cut);
            line.push_str(" ...");
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_folded_and_bounded() {
        assert_eq!(one_line("  a\n\tb \u{1b}[31m  c\r\n"), "a b [31m c".to_owned());
        assert_eq!(one_line(""), "");
        let long = one_line(&"ä".repeat(10_000));
        assert_eq!(long.chars().count(), MESSAGE_LIMIT + 4);
    }
}
