//! Files as consoles and manuals give them, and what each must become.

use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

fn translate(text: &str) -> Result<JavaClient, String> {
    let file = ClientProperties::parse(Path::new("client.properties"), text.as_bytes())
        .map_err(|error| error.to_string())?;
    JavaClient::new(&file).map_err(|error| error.to_string())
}

fn get<'a>(client: &'a JavaClient, key: &str) -> Option<&'a str> {
    client.properties.iter().rev().find(|p| p.key == key).map(|p| p.value.as_str())
}

#[track_caller]
fn assert_wrong(text: &str, words: &[&str]) {
    let error = translate(text).expect_err("it is refused");
    for word in words {
        assert!(error.contains(word), "{word:?} is in: {error}");
    }
    assert!(!error.contains("hidden") && !error.contains('\n'), "{error}");
}

#[test]
fn a_cloud_consoles_file_works_as_it_is() {
    let client = translate(
        r#"# Required connection configs for Kafka producer, consumer, and admin
bootstrap.servers=pkc-1.eu-central-1.aws.example:9092
security.protocol=SASL_SSL
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username='KEY' password='hid/den+==';
sasl.mechanism=PLAIN
# Required for correctness in Apache Kafka clients prior to 2.6
client.dns.lookup=use_all_dns_ips
# Best practice for higher availability in Apache Kafka clients prior to 3.0
session.timeout.ms=45000
acks=all
client.id=ccloud-java-client-1
key.serializer=org.apache.kafka.common.serialization.StringSerializer
value.serializer=io.confluent.kafka.serializers.KafkaAvroSerializer
max.block.ms=60000
delivery.timeout.ms = 30000
schema.registry.url=https://psrc-1.eu-central-1.aws.example
basic.auth.credentials.source=USER_INFO
basic.auth.user.info=SRKEY:SR:SECRET
"#,
    )
    .unwrap();
    assert_eq!(client.bootstrap.as_deref(), Some("pkc-1.eu-central-1.aws.example:9092"));
    assert_eq!((client.acks, client.idempotence), (Some(Acks::All), None));
    for (key, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "KEY"),
        ("sasl.password", "hid/den+=="),
        ("client.dns.lookup", "use_all_dns_ips"),
        ("client.id", "ccloud-java-client-1"),
        ("delivery.timeout.ms", "30000"),
    ] {
        assert_eq!(get(&client, key), Some(value), "{key}");
    }
    assert_eq!(client.classes, ["key.serializer", "value.serializer"]);
    assert_eq!(client.ignored, ["max.block.ms"]);
    assert_eq!(
        client.registry.url.as_ref().map(ExposeSecret::expose_secret),
        Some("https://psrc-1.eu-central-1.aws.example")
    );
    let RegistryAuth::Basic { user, password } = &client.registry.auth else {
        panic!("{:?}", client.registry.auth);
    };
    assert_eq!((user.as_str(), password.expose_secret()), ("SRKEY", "SR:SECRET"));
    let shown = format!("{client:?}");
    assert!(!shown.contains("hid/den") && !shown.contains("SR:SECRET"), "{shown}");
}

#[test]
fn scram_and_an_empty_identification_algorithm_are_translated() {
    let client = translate(
        "sasl.mechanism=SCRAM-SHA-512\nssl.endpoint.identification.algorithm=\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  \
         username=\"ann\" \\\n  password=\"a b\\\\\"c\";\n",
    )
    .unwrap();
    assert_eq!(get(&client, "sasl.username"), Some("ann"));
    assert_eq!(get(&client, "sasl.password"), Some("a b\"c"));
    assert_eq!(get(&client, "ssl.endpoint.identification.algorithm"), Some("none"));
}

#[test]
fn both_ways_to_name_an_oauth_client_are_translated() {
    let endpoint = "sasl.mechanism=OAUTHBEARER\n\
        sasl.oauthbearer.token.endpoint.url=https://idp.example/token\n";
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
    let by_jaas = format!(
        "{endpoint}sasl.jaas.config={module} clientId='me' clientSecret='hidden' scope='kafka' \
         extension_logicalCluster='lkc-1' extension_identityPoolId='pool-1';\n\
         sasl.login.callback.handler.class=org.apache.kafka.Handler\n"
    );
    let client = translate(&by_jaas).unwrap();
    for (key, value) in [
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", "https://idp.example/token"),
        ("sasl.oauthbearer.client.id", "me"),
        ("sasl.oauthbearer.client.secret", "hidden"),
        ("sasl.oauthbearer.scope", "kafka"),
        ("sasl.oauthbearer.extensions", "logicalCluster=lkc-1,identityPoolId=pool-1"),
    ] {
        assert_eq!(get(&client, key), Some(value), "{key}");
    }
    assert_eq!(client.classes, ["sasl.login.callback.handler.class"]);
    let by_keys = format!(
        "{endpoint}sasl.jaas.config={module};\n\
         sasl.oauthbearer.client.credentials.client.id=me\n\
         sasl.oauthbearer.client.credentials.client.secret=hidden\n"
    );
    let client = translate(&by_keys).unwrap();
    let secret = get(&client, "sasl.oauthbearer.client.credentials.client.secret");
    assert_eq!(secret, Some("hidden"));
    assert!(client.ignored.is_empty(), "{:?}", client.ignored);
    assert_wrong(
        &format!("sasl.jaas.config={module} clientId='me' clientSecret='hidden';"),
        &["line 1", "sasl.oauthbearer.token.endpoint.url"],
    );
}

#[test]
fn stores_are_taken_by_their_kind() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem = file("a.pem", b"-----BEGIN CERTIFICATE-----");
    let p12 = file("a.p12", b"\x30\x82\x01\x02");
    let jks = file("a.jks", b"\xfe\xed\xfe\xed\0\0\0\x02");

    let client = translate(&format!(
        "ssl.truststore.type=PEM\nssl.truststore.location={pem}\nssl.keystore.type=PEM\n\
         ssl.keystore.location={pem}\nssl.key.password=hidden\nssl.truststore.password=x\n"
    ))
    .unwrap();
    for (key, value) in [
        ("ssl.ca.location", pem.as_str()),
        ("ssl.certificate.location", &pem),
        ("ssl.key.location", &pem),
        ("ssl.key.password", "hidden"),
    ] {
        assert_eq!(get(&client, key), Some(value), "{key}");
    }
    assert_eq!(client.properties.len(), 4, "{:?}", client.properties);

    let client = translate(&format!(
        "ssl.keystore.location={p12}\nssl.keystore.password=hidden\nssl.key.password=hidden\n"
    ))
    .unwrap();
    assert_eq!(get(&client, "ssl.keystore.location"), Some(p12.as_str()));
    assert_eq!(get(&client, "ssl.keystore.password"), Some("hidden"));
    assert_eq!(client.properties.len(), 2, "{:?}", client.properties);

    let truststore = |path: &str| format!("\nssl.truststore.location={path}\n");
    assert_wrong(&truststore(&jks), &["line 2", "keytool -list -rfc", &jks, "PEM"]);
    assert_wrong(&truststore(&p12), &["line 2", "keytool -list -rfc", &p12, "PEM"]);
    assert_wrong(
        &format!("ssl.keystore.location={jks}\nssl.keystore.password=hidden"),
        &["line 1", "keytool -importkeystore", &jks, "PKCS12"],
    );
    assert_wrong(&truststore("/no/such.pem"), &["line 2", "/no/such.pem"]);
}

#[test]
fn stores_in_the_file_itself_are_laid_out() {
    let client = translate(
        "ssl.truststore.certificates=-----BEGIN CERTIFICATE-----AA-----END CERTIFICATE-----\n\
         ssl.keystore.certificate.chain=-----BEGIN CERTIFICATE----- \\\n  BB \\\n  \
         -----END CERTIFICATE-----\n\
         ssl.keystore.key=-----BEGIN PRIVATE KEY-----\\nCC\\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let block = |label, body| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    for (key, value) in [
        ("ssl.ca.pem", block("CERTIFICATE", "AA")),
        ("ssl.certificate.pem", block("CERTIFICATE", "BB")),
        ("ssl.key.pem", block("PRIVATE KEY", "CC")),
    ] {
        assert_eq!(get(&client, key), Some(value.as_str()), "{key}");
    }
    assert_wrong("ssl.keystore.key=hidden", &["ssl.keystore.certificate.chain", "go together"]);
}

#[test]
fn the_registrys_keys_are_taken() {
    let auth = |text: &str| translate(text).map(|client| client.registry.auth);
    let token = auth("bearer.auth.credentials.source=STATIC_TOKEN\nbearer.auth.token=t0ken");
    let Ok(RegistryAuth::Bearer(token)) = token else { panic!("{token:?}") };
    assert_eq!(token.expose_secret(), "t0ken");
    let prefixed = auth("schema.registry.basic.auth.user.info=a:b");
    assert!(matches!(prefixed, Ok(RegistryAuth::Basic { .. })), "{prefixed:?}");
    let in_url = auth("basic.auth.credentials.source=URL\nbasic.auth.user.info=a:b");
    assert!(matches!(in_url, Ok(RegistryAuth::None)), "{in_url:?}");
    let inherited = auth(
        "basic.auth.credentials.source=SASL_INHERIT\n\
         sasl.jaas.config=PlainLoginModule required username=u password=p;",
    );
    assert!(matches!(inherited, Ok(RegistryAuth::Basic { .. })), "{inherited:?}");
    assert_wrong("basic.auth.credentials.source=USER_INFO", &["line 1", "basic.auth.user.info"]);
    assert_wrong("basic.auth.user.info=hidden", &["line 1", "colon"]);
    assert_wrong("bearer.auth.credentials.source=SASL_OAUTHBEARER_INHERIT", &["STATIC_TOKEN"]);
}

#[test]
fn what_cannot_be_is_told_by_its_line() {
    assert_wrong("# x\nacks=2", &["client.properties", "line 2", "`acks`"]);
    assert_wrong("enable.idempotence=maybe", &["line 1", "true or false"]);
    let jaas = |text: &str| format!("sasl.jaas.config={text}");
    assert_wrong(&jaas("PlainLoginModule required username=\"hidden\";"), &["password"]);
    assert_wrong(&jaas("PlainLoginModule required password=\"hidden;"), &["quote"]);
    assert_wrong(
        &jaas("com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true;"),
        &["line 1", "PlainLoginModule, ScramLoginModule and OAuthBearerLoginModule"],
    );
}
