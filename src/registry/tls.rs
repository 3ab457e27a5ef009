//! What TLS libraries mean by what they say: they tell in words alone why a connection failed.

/// Why no secure connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProblem {
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

impl TlsProblem {
    /// Whether `said` is about TLS at all.
    pub fn is_told_by(said: &str) -> bool {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // A connection that is cut while it opens is a server that isn't up.
        has(&["ssl routines", "certificate"]) && !has(&["unexpected eof"])
    }

    /// The problem that a library's words mean, OpenSSL's first here; none where they are new.
    pub fn of(said: &str) -> Option<TlsProblem> {
        let said = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        // An alert is the server's word about us.
        let problem = if has(&["certificate required", "certificate_required"]) {
            TlsProblem::WantsCertificate
        } else if has(&["alert"]) && has(&["certificate", "unknown ca"]) {
            TlsProblem::RefusesCertificate
        } else if has(&[
            "self-signed",
            "self signed",
            "local issuer",
            "issuer certificate",
            "not trusted",
        ]) {
            TlsProblem::Untrusted
        } else if has(&["hostname mismatch", "ip address mismatch", "name mismatch"]) {
            TlsProblem::OtherHost
        } else if has(&["has expired", "expired"]) {
            TlsProblem::Expired
        } else if has(&["not yet valid"]) {
            TlsProblem::NotYetValid
        } else if has(&["wrong version number", "packet length too long", "record layer"]) {
            TlsProblem::NotTls
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
            (format!("{verify} (self-signed certificate in chain)"), TlsProblem::Untrusted),
            (format!("{verify} (unable to get local issuer certificate)"), TlsProblem::Untrusted),
            (format!("{verify} (hostname mismatch)"), TlsProblem::OtherHost),
            (format!("{verify} (IP address mismatch)"), TlsProblem::OtherHost),
            (format!("{verify} (certificate has expired)"), TlsProblem::Expired),
            (format!("{verify} (certificate is not yet valid)"), TlsProblem::NotYetValid),
            ("error:0A00010B:SSL routines::wrong version number".to_owned(), TlsProblem::NotTls),
            (
                "error:0A00045C:SSL routines::tlsv13 alert certificate required".to_owned(),
                TlsProblem::WantsCertificate,
            ),
            (
                "error:0A000418:SSL routines::tlsv1 alert unknown ca".to_owned(),
                TlsProblem::RefusesCertificate,
            ),
            (
                "error:0A000416:SSL routines::ssl/tls alert certificate unknown".to_owned(),
                TlsProblem::RefusesCertificate,
            ),
            (
                "error:0A000415:SSL routines::ssl/tls alert certificate expired".to_owned(),
                TlsProblem::RefusesCertificate,
            ),
        ] {
            assert!(TlsProblem::is_told_by(&said), "{said}");
            assert_eq!(TlsProblem::of(&said), Some(problem), "{said}");
        }
        assert!(!TlsProblem::is_told_by("Connection refused"));
        assert!(!TlsProblem::is_told_by("error:0A000126:SSL routines::unexpected eof"));
        assert_eq!(TlsProblem::of(verify), None);
    }
}
