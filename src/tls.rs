//! Why TLS to a server failed. TLS libraries report that only in their texts.

/// Why a TLS connection to a broker or a registry failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The server's certificate is signed by an authority that isn't trusted.
    Untrusted,
    /// The server's certificate is for another host.
    OtherHost,
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is not yet valid.
    NotYetValid,
    /// The server doesn't speak TLS.
    NotTls,
    /// The server requires a client certificate, and got none.
    WantsCertificate,
    /// The server rejects the client certificate.
    RefusesCertificate,
}

impl TlsFailure {
    /// Whether an error's text is about TLS at all.
    pub fn is_about_tls(said: &str) -> bool {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // A connection that closes while it opens means a server that isn't up.
        has(&["ssl routines", "certificate"]) && !has(&["unexpected eof"])
    }

    /// The failure that a library's text means, OpenSSL's first of all; `None` if the text is unknown.
    pub fn from_text(said: &str) -> Option<TlsFailure> {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // An alert is what the server says about us.
        let problem = if has(&["certificate required", "certificate_required"]) {
            TlsFailure::WantsCertificate
        } else if has(&["alert"]) && has(&["certificate", "unknown ca"]) {
            TlsFailure::RefusesCertificate
        } else if has(&[
            "self-signed",
            "self signed",
            "local issuer",
            "issuer certificate",
            "not trusted",
        ]) {
            TlsFailure::Untrusted
        } else if has(&["hostname mismatch", "ip address mismatch", "name mismatch"]) {
            TlsFailure::OtherHost
        } else if has(&["has expired", "expired"]) {
            TlsFailure::Expired
        } else if has(&["not yet valid"]) {
            TlsFailure::NotYetValid
        } else if has(&["wrong version number", "packet length too long", "record layer"]) {
            TlsFailure::NotTls
        } else {
            return None;
        };
        Some(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssls_words_are_understood() {
        let verify = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate \
            verify failed:ssl/statem/statem_clnt.c:2123:";
        for (said, problem) in [
            (format!("{verify} (self-signed certificate in chain)"), TlsFailure::Untrusted),
            (format!("{verify} (unable to get local issuer certificate)"), TlsFailure::Untrusted),
            (format!("{verify} (hostname mismatch)"), TlsFailure::OtherHost),
            (format!("{verify} (IP address mismatch)"), TlsFailure::OtherHost),
            (format!("{verify} (certificate has expired)"), TlsFailure::Expired),
            (format!("{verify} (certificate is not yet valid)"), TlsFailure::NotYetValid),
            ("error:0A00010B:SSL routines::wrong version number".to_owned(), TlsFailure::NotTls),
            (
                "error:0A00045C:SSL routines::tlsv13 alert certificate required".to_owned(),
                TlsFailure::WantsCertificate,
            ),
            (
                "error:0A000418:SSL routines::tlsv1 alert unknown ca".to_owned(),
                TlsFailure::RefusesCertificate,
            ),
            (
                "error:0A000416:SSL routines::ssl/tls alert certificate unknown".to_owned(),
                TlsFailure::RefusesCertificate,
            ),
            (
                "error:0A000415:SSL routines::ssl/tls alert certificate expired".to_owned(),
                TlsFailure::RefusesCertificate,
            ),
        ] {
            assert!(TlsFailure::is_about_tls(&said), "{said}");
            assert_eq!(TlsFailure::from_text(&said), Some(problem), "{said}");
        }
        assert!(!TlsFailure::is_about_tls("Connection refused"));
        assert!(!TlsFailure::is_about_tls("error:0A000126:SSL routines::unexpected eof"));
        assert_eq!(TlsFailure::from_text(verify), None);
    }
}
