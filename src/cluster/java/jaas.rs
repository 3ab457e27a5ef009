//! Java's `sasl.jaas.config`: a login module, a flag and options, ended by a semicolon.

use std::iter::Peekable;
use std::str::Chars;

/// A login module and its options. Without `Debug`, since they hold passwords.
pub(super) struct LoginModule {
    /// The class.
    pub(super) class: String,
    options: Vec<(String, String)>,
}

impl LoginModule {
    /// Parses a login module.
    ///
    /// # Errors
    /// What is wrong with the text, without quoting it.
    pub(super) fn parse(text: &str) -> Result<LoginModule, &'static str> {
        let mut chars = text.chars().peekable();
        let Some(Token::Text(class)) = next(&mut chars)? else {
            return Err("names no login module");
        };
        match next(&mut chars)? {
            Some(Token::Text(flag)) if is_flag(&flag) => {}
            _ => return Err("lacks `required` after its login module"),
        }
        let mut options = Vec::new();
        loop {
            let key = match next(&mut chars)? {
                Some(Token::Text(key)) => key,
                Some(Token::End) => break,
                Some(Token::Equals) => return Err("has a `=` with no name before it"),
                None => return Err("doesn't end in a semicolon"),
            };
            if !matches!(next(&mut chars)?, Some(Token::Equals)) {
                return Err("has an option without a `=`");
            }
            let Some(Token::Text(value)) = next(&mut chars)? else {
                return Err("has an option without a value");
            };
            options.push((key, value));
        }
        if next(&mut chars)?.is_some() {
            return Err("names more than one login module");
        }
        Ok(LoginModule { class, options })
    }

    /// The class without its package.
    pub(super) fn name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or(&self.class)
    }

    /// The value of an option.
    pub(super) fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Names and values of the options that begin with `prefix`, which is cut off.
    pub(super) fn options_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.options
            .iter()
            .filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }
}

enum Token {
    Text(String),
    Equals,
    End,
}

fn is_flag(word: &str) -> bool {
    ["required", "requisite", "sufficient", "optional"]
        .iter()
        .any(|flag| word.eq_ignore_ascii_case(flag))
}

fn next(chars: &mut Peekable<Chars<'_>>) -> Result<Option<Token>, &'static str> {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
    match chars.next() {
        None => Ok(None),
        Some('=') => Ok(Some(Token::Equals)),
        Some(';') => Ok(Some(Token::End)),
        Some(quote @ ('"' | '\'')) => quoted(chars, quote).map(|text| Some(Token::Text(text))),
        Some(first) => {
            let mut word = String::from(first);
            while let Some(c) = chars.next_if(|&c| !c.is_whitespace() && !matches!(c, '=' | ';')) {
                word.push(c);
            }
            Ok(Some(Token::Text(word)))
        }
    }
}

/// A text up to its closing quote, with the escapes that Java's tokenizer resolves.
fn quoted(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, &'static str> {
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("has a quote that isn't closed"),
            Some(c) if c == quote => return Ok(text),
            Some('\\') => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(c) => text.push(c),
                None => return Err("has a quote that isn't closed"),
            },
            Some(c) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_login_module_is_read_with_its_options() {
        let text = r#"org.apache.kafka.common.security.plain.PlainLoginModule   required
            username = "ann" password='p;=\'"' extension_pool=x-1_y.z ;  "#;
        let module = LoginModule::parse(text).ok().unwrap();
        assert_eq!(module.name(), "PlainLoginModule");
        assert_eq!(module.option("username"), Some("ann"));
        assert_eq!(module.option("password"), Some("p;='\""));
        assert_eq!(module.option("none"), None);
        assert_eq!(module.options_under("extension_").collect::<Vec<_>>(), [("pool", "x-1_y.z")]);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        for (text, problem) in [
            ("", "names no login module"),
            ("a.B", "lacks `required`"),
            ("a.B username=\"x\";", "lacks `required`"),
            ("a.B required username=\"hidden\"", "semicolon"),
            ("a.B required username \"hidden\";", "without a `=`"),
            ("a.B required username=;", "without a value"),
            ("a.B required =hidden;", "no name"),
            ("a.B required password=\"hidden;", "isn't closed"),
            ("a.B required; c.D required;", "more than one"),
        ] {
            let told = LoginModule::parse(text).err().unwrap_or_default();
            assert!(told.contains(problem) && !told.contains("hidden"), "{text:?}: {told}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"(a\.B required )?[ab=;"'\\ \n]{0,60}"#) {
            let _read_or_refused = LoginModule::parse(&text).is_ok();
        }

        #[test]
        fn quoted_values_come_back(value in ".{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("a.B required password=\"{escaped}\";");
            let module = LoginModule::parse(&text).ok().unwrap();
            prop_assert_eq!(module.option("password"), Some(value.as_str()));
        }
    }
}
