//! What TLS libraries mean by what they say: they tell in words alone why a connection failed.

/// Why no secure connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The server's certificate is signed by nobody whom we trust.
    Untrusted,
    /// The server's certificate is for another host.
    OtherHost,
    /// The server's certificate is too old.
    Expired,
    /// The server's certificate is too young.
    NotYetValid,
    /// The server speaks another protocol.
    NotTls,
    /// The server asks for a certificate of ours, and had none.
    WantsCertificate,
    /// The server doesn't take our certificate.
    RefusesCertificate,
}

impl TlsFailure {
    /// Whether `said` is about TLS at all.
    pub fn is_about_tls(said: &str) -> bool {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // A connection that is cut while it opens is a server that isn't up.
        has(&["ssl routines", "certificate"]) && !has(&["unexpected eof"])
    }

    /// The problem that a library's words mean, OpenSSL's first here; none where they are new.
    pub fn from_text(said: &str) -> Option<TlsFailure> {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // An alert is the server's word about us.
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
