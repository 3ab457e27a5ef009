//! Java's key stores and trust stores: the kind of a file, and PEM in the layout that OpenSSL reads.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Pem,
    /// PKCS #12, which Java reads under the type JKS as well.
    Pkcs12,
    /// Java's own.
    Jks,
}

/// The first bytes of a Java key store (JKS and JCEKS).
const JKS: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];
/// The first byte of a PKCS #12 file: an ASN.1 sequence.
const SEQUENCE: u8 = 0x30;

impl Kind {
    /// The kind of the file at `path`: PEM if `type` says so, else by its first bytes. Java itself tells
    /// JKS and PKCS #12 apart by those.
    ///
    /// # Errors
    /// If it can't be read.
    pub(super) fn of(path: &Path, given: Option<&str>) -> io::Result<Kind> {
        let mut start = Vec::new();
        File::open(path)?.take(4).read_to_end(&mut start)?;
        if given.is_some_and(|given| given.trim().eq_ignore_ascii_case("PEM")) {
            return Ok(Kind::Pem);
        }
        Ok(match start.as_slice() {
            start if JKS.iter().any(|magic| start == magic) => Kind::Jks,
            [SEQUENCE, ..] => Kind::Pkcs12,
            _ => Kind::Pem,
        })
    }
}

/// PEM blocks in the layout that OpenSSL reads, with base64 lines of at most 64 characters: in a
/// properties file a block is often on one line. Other text is left as it is.
pub(super) fn pem(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((label, body, after)) = block(rest) {
        let body: String = body.split_whitespace().collect();
        out.push_str(&format!("-----BEGIN {label}-----\n"));
        let mut line = body.as_str();
        while !line.is_empty() {
            let width = line.char_indices().nth(64).map_or(line.len(), |(at, _)| at);
            out.push_str(&line[..width]);
            out.push('\n');
            line = &line[width..];
        }
        out.push_str(&format!("-----END {label}-----\n"));
        rest = after;
    }
    if out.is_empty() { text.to_owned() } else { out }
}

/// The first PEM block: its label, its content, and the text after it.
fn block(text: &str) -> Option<(&str, &str, &str)> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (label, after) = after.split_once("-----")?;
    let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
    Some((label, body, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        for (bytes, given, kind) in [
            (&b"-----BEGIN CERTIFICATE-----"[..], None, Kind::Pem),
            (b"Bag Attributes", Some("PEM"), Kind::Pem),
            (b"\xfe\xed\xfe\xed\0\0", None, Kind::Jks),
            (b"\xce\xce\xce\xce\0\0", Some("JCEKS"), Kind::Jks),
            (b"\x30\x82\x01\x02", Some("JKS"), Kind::Pkcs12),
            (b"\x30\x82\x01\x02", Some("PKCS12"), Kind::Pkcs12),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Kind::of(&path, given).unwrap(), kind);
        }
        assert!(Kind::of(&folder.path().join("none"), Some("PEM")).is_err());
    }

    #[test]
    fn pem_on_one_line_is_laid_out() {
        let long = "A".repeat(70);
        let one_line = format!(
            "-----BEGIN CERTIFICATE-----{long}-----END CERTIFICATE----- \
             -----BEGIN CERTIFICATE----- BB CC -----END CERTIFICATE-----"
        );
        let laid_out = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----\n\
             -----BEGIN CERTIFICATE-----\nBBCC\n-----END CERTIFICATE-----\n",
            &long[..64],
            &long[64..]
        );
        assert_eq!(pem(&one_line), laid_out);
        assert_eq!(pem(&laid_out), laid_out);
        assert_eq!(pem("no blocks"), "no blocks");
    }
}
