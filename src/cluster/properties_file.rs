//! Reads a Java client's `.properties` file: the grammar of `java.util.Properties`, within bounds. What
//! the properties mean is decided elsewhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The properties of a file. `Debug` shows no values: they may be secrets.
#[derive(Clone)]
pub struct ClientProperties {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A property and its line.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    value: String,
    line: usize,
}

/// Why a properties file can't be read. Texts are fragments that fit after "error: ". They name keys and
/// lines, never values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PropertiesError {
    /// The file could not be read.
    #[error("cannot read the client properties {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too large.
    #[error("the client properties {} are larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest file that is read, in bytes.
        limit: u64,
    },
    /// An escape is not a character.
    #[error(
        "cannot read the client properties {}: line {line} has a `\\u` without the four hexadecimal \
         digits of a character; write `\\\\` for a backslash",
        path.display()
    )]
    Escape {
        /// The file.
        path: PathBuf,
        /// The line on which the property begins, from 1.
        line: usize,
    },
}

impl ClientProperties {
    /// Reads a file of at most 1 MiB. Its text is UTF-8, else Latin-1.
    ///
    /// # Errors
    /// If the file can't be read, is too large, or has an invalid escape.
    pub fn read(path: &Path) -> Result<ClientProperties, PropertiesError> {
        let mut bytes = Vec::new();
        // The file's own size is not asked: a pipe has none.
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|source| PropertiesError::Read { path: path.into(), source })?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(PropertiesError::TooLarge { path: path.into(), limit: FILE_BYTES_MAX });
        }
        ClientProperties::parse(path, &bytes)
    }

    /// Parses the text of the file `path`.
    ///
    /// # Errors
    /// [`PropertiesError::Escape`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<ClientProperties, PropertiesError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        let mut properties = ClientProperties { path: path.into(), entries: Vec::new() };
        for (line, text) in logical_lines(&text) {
            let entry = entry(line, &text)
                .ok_or_else(|| PropertiesError::Escape { path: path.into(), line })?;
            // As in Java, the last value of a key counts.
            properties.entries.retain(|earlier| earlier.key != entry.key);
            properties.entries.push(entry);
        }
        Ok(properties)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// The line of `key`, from 1.
    pub fn line(&self, key: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.line)
    }

    /// Keys and values, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.entries.iter().map(|entry| entry.key.as_str()).collect();
        f.debug_struct("ClientProperties")
            .field("path", &self.path)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

/// Whitespace between words and before a line.
const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines with properties, each with the number of its first line. Comments and blank lines are left out,
/// continued lines joined, escapes kept.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let line = natural.trim_start_matches(BLANK);
        // A comment can't be continued, and a continued line is never a comment.
        if open.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let (number, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(&line[..line.len() - 1]);
            open = Some((number, joined));
        } else {
            joined.push_str(line);
            lines.push((number, joined));
        }
    }
    lines.extend(open.filter(|(_, joined)| !joined.is_empty()));
    lines
}

/// A text's lines, which end in CR, LF or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let (line, after) = text.split_at(end);
        rest = Some(after.strip_prefix("\r\n").unwrap_or(&after[1..]));
        Some(line)
    })
}

/// The property on a logical line; `None` if an escape is invalid.
fn entry(line: usize, text: &str) -> Option<Entry> {
    let mut chars = text.chars().peekable();
    let mut key = String::new();
    while let Some(&c) = chars.peek() {
        if matches!(c, '=' | ':') || BLANK.contains(&c) {
            break;
        }
        key.push(character(&mut chars)?);
    }
    skip_blanks(&mut chars);
    if chars.next_if(|&c| matches!(c, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    let mut value = String::new();
    while chars.peek().is_some() {
        value.push(character(&mut chars)?);
    }
    Some(Entry { key, value, line })
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| BLANK.contains(c)).is_some() {}
}

/// The next character, its escape resolved; `None` if the escape is invalid.
fn character(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let c = chars.next()?;
    if c != '\\' {
        return Some(c);
    }
    match chars.next()? {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'f' => Some('\u{c}'),
        'u' => {
            let unit = code_unit(chars)?;
            if let Some(c) = char::from_u32(unit.into()) {
                return Some(c);
            }
            // Characters beyond 16 bits are written as two halves.
            if chars.next()? != '\\' || chars.next()? != 'u' {
                return None;
            }
            char::decode_utf16([unit, code_unit(chars)?]).next()?.ok()
        }
        other => Some(other),
    }
}

/// Four hexadecimal digits.
fn code_unit(chars: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next()?.to_digit(16)?;
    }
    u16::try_from(unit).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: impl AsRef<[u8]>) -> Result<Vec<(String, String)>, String> {
        let parsed = ClientProperties::parse(Path::new("c.properties"), text.as_ref());
        parsed
            .map(|all| all.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn assert_read(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(parse(text).as_deref(), Ok(expected.as_slice()), "{text:?}");
    }

    #[test]
    fn keys_end_at_equals_colons_and_blanks() {
        assert_read(
            "a=1\nb:2\nc 3\n\td = 4\ne\t:\t5\nf  6 7",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5"), ("f", "6 7")],
        );
        assert_read(
            "a==1\nb= =2\nc::3\nurl=http://x:1/?a=b",
            &[("a", "=1"), ("b", "=2"), ("c", ":3"), ("url", "http://x:1/?a=b")],
        );
        assert_read("a\nb=\n=c", &[("a", ""), ("b", ""), ("", "c")]);
        assert_read("a=1 \n", &[("a", "1 ")]);
    }

    #[test]
    fn comments_and_blank_lines_are_left_out() {
        assert_read(
            "# a=1\n  ! b=2\n\n \t\nc=3#4\r\n#\\\nd=5\re=6",
            &[("c", "3#4"), ("d", "5"), ("e", "6")],
        );
    }

    #[test]
    fn lines_that_end_in_a_backslash_go_on() {
        assert_read("a=1,\\\n    2,\\\r\n\t3\nb=4", &[("a", "1,2,3"), ("b", "4")]);
        // An even number of them is text, and a mark of a comment is so in a continuation.
        assert_read("a=1\\\\\nb=2\\\\\\\n#3", &[("a", "1\\"), ("b", "2\\#3")]);
        assert_read("a=1\\", &[("a", "1")]);
        assert_read("\\", &[]);
        assert_read("a\\\n=1", &[("a", "1")]);
    }

    #[test]
    fn escapes_are_resolved() {
        assert_read(
            "a\\=\\:\\ b=\\t\\n\\r\\f\\\\\\q\\\"\nk=\\u00e9\\u20AC\\uD83D\\uDE00",
            &[("a=: b", "\t\n\r\u{c}\\q\""), ("k", "é€😀")],
        );
    }

    #[test]
    fn an_escape_without_its_digits_is_told_by_its_line_and_not_shown() {
        for value in ["\\u12", "\\u12g4secret", "\\ud83d", "\\ud83d\\u0041", "\\ude00\\ud83d"] {
            let error = parse(format!("# x\na=1\npassword=secret{value}\n")).unwrap_err();
            assert!(error.contains("c.properties: line 3"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_last_one_of_a_key_holds() {
        assert_read("a=1\nb=2\na=3", &[("b", "2"), ("a", "3")]);
        let all = ClientProperties::parse(Path::new("x"), b"a=1\nb=2\na=3").unwrap();
        assert_eq!((all.get("a"), all.line("a"), all.get("c")), (Some("3"), Some(3), None));
    }

    #[test]
    fn text_is_utf_8_or_else_latin_1() {
        assert_read("\u{feff}a=é", &[("a", "é")]);
        assert_eq!(parse(b"a=\xe9"), Ok(vec![("a".to_owned(), "é".to_owned())]));
    }

    #[test]
    fn nothing_shows_a_value() {
        let all = ClientProperties::parse(Path::new("x"), b"sasl.password=hidden").unwrap();
        let shown = format!("{all:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn files_that_are_absent_or_too_large_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.properties");
        let error = ClientProperties::read(&path).unwrap_err().to_string();
        assert!(error.contains("client.properties"), "{error}");
        std::fs::write(&path, vec![b'a'; FILE_BYTES_MAX as usize + 1]).unwrap();
        let error = ClientProperties::read(&path).unwrap_err();
        assert!(matches!(error, PropertiesError::TooLarge { .. }), "{error}");
    }

    /// A key or value as Java's `Properties.store` writes it.
    fn escaped(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\u{c}' => out.push_str("\\f"),
                ' ' | '=' | ':' | '#' | '!' | '\\' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04X}"));
                    }
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _read_or_refused = parse(&bytes);
        }

        #[test]
        fn no_marks_make_it_panic(text in r"[ab=: \t\r\n\\#!u0d8]{0,100}") {
            let _read_or_refused = parse(&text);
        }

        #[test]
        fn what_java_writes_is_read_back(
            entries in proptest::collection::btree_map(".{1,20}", ".{0,40}", 0..8),
            end in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        ) {
            let text: String = entries
                .iter()
                .map(|(key, value)| format!("{}={}{end}", escaped(key), escaped(value)))
                .collect();
            let expected: Vec<_> = entries.into_iter().collect();
            prop_assert_eq!(parse(text), Ok(expected));
        }
    }
}
