//! The client against a registry under TLS.

use super::*;
use crate::registry::ClientCertificate;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate that signed itself, for a name and so many days from now, and its key.
fn certificate(name: &str, days: i64) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let day = 24 * 60 * 60;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        as i64;
    let at = |time: i64| Asn1Time::from_unix(time).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&at(now - 10 * day)).unwrap();
    builder.set_not_after(&at(now + days * day)).unwrap();
    let constraints = BasicConstraints::new().ca().build().unwrap();
    builder.append_extension(constraints).unwrap();
    let names =
        SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

/// A TLS server with such a certificate, which registers everything as schema 6; where `clients` is
/// given, for those alone that show it. Returns its port and its certificate as PEM.
fn serve_clients(name: &str, days: i64, clients: Option<&X509>) -> (u16, Vec<u8>) {
    let (certificate, key) = certificate(name, days);
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    if let Some(authority) = clients {
        acceptor.cert_store_mut().add_cert(authority.clone()).unwrap();
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else {
                continue;
            };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n{\"id\":6}",
            );
            let _ = stream.shutdown();
        }
    });
    (port, certificate.to_pem().unwrap())
}

fn serve(name: &str, days: i64) -> (u16, Vec<u8>) {
    serve_clients(name, days, None)
}

fn register(port: u16, authority: Option<&[u8]>) -> Result<SchemaId, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = RegistrySettings::new(format!("https://localhost:{port}"));
    if let Some(pem) = authority {
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        settings.ca_file = Some(path);
    }
    let begun = Instant::now();
    let result = Registry::new(&settings).unwrap().register("s", SCHEMA);
    assert!(begun.elapsed() < Duration::from_secs(5));
    if let Err(error) = &result {
        assert!(matches!(error, RegistryError::Tls { .. }), "{error}");
    }
    result.map_err(|error| error.to_string().replace(&port.to_string(), "PORT"))
}

const PREFIX: &str =
    "cannot open a secure connection to the schema registry at https://localhost:PORT: ";

#[test]
fn a_ca_file_makes_its_authority_trusted() {
    let (port, pem) = serve("localhost", 10);
    assert_eq!(register(port, Some(&pem)), Ok(SchemaId(6)));
    assert_eq!(
        register(port, None).unwrap_err(),
        format!(
            "{PREFIX}its certificate is signed by an authority that isn't trusted here; \
             give the authority's certificate as the registry's CA file"
        )
    );
}

#[test]
fn a_certificate_for_another_host_is_called_so() {
    let (port, pem) = serve("registry.example", 10);
    assert_eq!(
        register(port, Some(&pem)).unwrap_err(),
        format!(
            "{PREFIX}its certificate is for another host name; \
             use the name that the certificate is for"
        )
    );
}

#[test]
fn an_expired_certificate_is_called_so() {
    let (port, pem) = serve("localhost", -1);
    assert_eq!(
        register(port, Some(&pem)).unwrap_err(),
        format!("{PREFIX}its certificate has expired; renew it")
    );
}

#[test]
fn a_port_without_tls_is_called_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    assert_eq!(
        register(port, None).unwrap_err(),
        format!("{PREFIX}it doesn't speak TLS; use http:// or the port that does")
    );
}

/// Registers with a client certificate and a key, as files of these bytes.
fn register_as(
    port: u16,
    authority: &[u8],
    certificate: &[u8],
    key: &[u8],
) -> Result<SchemaId, RegistryError> {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut settings = RegistrySettings::new(format!("https://localhost:{port}"));
    settings.deadline = LONG;
    settings.ca_file = Some(file("ca.pem", authority));
    settings.certificate = Some(ClientCertificate {
        certificate: file("client.pem", certificate),
        key: file("client.key", key),
    });
    Registry::new(&settings)?.register("s", SCHEMA)
}

#[test]
fn a_client_certificate_lets_us_in() {
    let (own, key) = certificate("fleet", 10);
    let (port, authority) = serve_clients("localhost", 10, Some(&own));
    let (pem, key) = (own.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
    assert_eq!(register_as(port, &authority, &pem, &key), Ok(SchemaId(6)));
    // Both in one file, in whatever order.
    for both in [[&pem[..], &key].concat(), [&key[..], &pem].concat()] {
        assert_eq!(register_as(port, &authority, &both, &both), Ok(SchemaId(6)));
    }
}

#[test]
fn a_registry_that_lacks_our_certificate_or_refuses_it_is_told_so() {
    let (own, _) = certificate("fleet", 10);
    let (port, authority) = serve_clients("localhost", 10, Some(&own));
    let asked = register(port, Some(&authority)).unwrap_err();
    assert!(asked.contains("requires a client certificate; give one"), "{asked}");
    let (other, key) = certificate("stranger", 10);
    let (pem, key) = (other.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
    let refused = register_as(port, &authority, &pem, &key).unwrap_err();
    assert!(matches!(refused, RegistryError::Tls { .. }), "{refused}");
    assert!(refused.to_string().contains("refuses the client certificate"), "{refused}");
}

#[test]
fn client_certificates_that_cannot_be_used_are_named() {
    let (own, key) = certificate("fleet", 10);
    let (_, others) = certificate("other", 10);
    let pem = own.to_pem().unwrap();
    let plain = key.private_key_to_pem_pkcs8().unwrap();
    let encrypted = key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"hidden")
        .unwrap();
    let older = key.rsa().unwrap().private_key_to_pem().unwrap();
    let others = others.private_key_to_pem_pkcs8().unwrap();
    for (certificate, key, words) in [
        (&b"hello"[..], &plain[..], ["client.pem", "no PEM certificate"]),
        (&pem, b"hello", ["client.key", "no PEM key"]),
        (&pem, &encrypted, ["client.key", "openssl pkcs8 -topk8 -nodes"]),
        (&pem, &older, ["client.key", "openssl pkcs8 -topk8 -nodes"]),
        (&pem, &others, ["client.pem", "doesn't match its key"]),
    ] {
        let error = register_as(1, &pem, certificate, key).unwrap_err();
        assert!(matches!(error, RegistryError::ClientCertificate { .. }), "{error}");
        let text = error.to_string();
        for word in words {
            assert!(text.contains(word) && !text.contains("PRIVATE"), "{word:?} is in: {text}");
        }
    }
}
