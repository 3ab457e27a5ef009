//! Keys in PEM, the text that certificates and keys come in.

/// The first and last line of a key that TLS libraries accept: PKCS #8, not encrypted.
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The first unencrypted PKCS #8 key in a text, which may hold certificates too.
pub fn plain_key(text: &str) -> Option<String> {
    let from = text.find(BEGIN)?;
    let to = text[from..].find(END)? + from + END.len();
    Some(format!("{}\n", &text[from..to]))
}

/// Why a text has no [`plain_key`], and what to do. `file` is where the text is.
pub fn no_plain_key(text: &str, file: &str) -> String {
    if text.contains("PRIVATE KEY-----") {
        format!(
            "its key is encrypted, or of an older form: make it plain PKCS #8 by \
             `openssl pkcs8 -topk8 -nodes -in {file} -out key.pem`"
        )
    } else {
        "it holds no PEM key".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_beside_a_certificate_and_missed_with_its_reason() {
        let key = format!("{BEGIN}\nAAAA\n{END}");
        let text = format!("-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\n{key}");
        assert_eq!(plain_key(&text), Some(format!("{key}\n")));
        assert_eq!(plain_key(BEGIN), None);
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
        assert!(no_plain_key(encrypted, "k.pem").contains("-in k.pem"));
        assert_eq!(no_plain_key("", "k.pem"), "it holds no PEM key");
    }
}
