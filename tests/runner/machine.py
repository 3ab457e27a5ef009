"""What this machine has, and what the tests need of it."""

import os
import shutil

from cluster import java

from .steps import Failure, quiet

CARGO = {"cargo": "the Rust toolchain, by rustup (with its rustfmt and clippy components)"}

#: What the program's libraries are compiled with; the linker is behind the first, for all tests.
COMPILERS = {
    "cc": "a C compiler (on Debian: apt-get install build-essential)",
    "make": "librdkafka and OpenSSL are compiled with it (on Debian: apt-get install make)",
    "perl": "OpenSSL is configured with it (on Debian: apt-get install perl)",
}

NO_BROKER = """\
a broker and a registry, by one of:
      a running Docker engine with Compose (`docker info` and `docker compose version` work);
      Java 17 or later and Maven (on Debian: apt-get install openjdk-17-jdk-headless maven);
      FLEETSTORM_TEST_BOOTSTRAP=HOST:PORT and FLEETSTORM_TEST_REGISTRY=URL in the environment"""

BROKERS = {
    "given": "those given by FLEETSTORM_TEST_BOOTSTRAP and FLEETSTORM_TEST_REGISTRY",
    "docker": "compose/kafka.yml, by Docker",
    "java": "Apache Kafka and Apicurio Registry, by Java and Maven",
}


def look(real: bool, compiles_c: bool) -> str:
    """Where broker and registry come from, one of BROKERS, and nowhere unless tests are real.

    Where nothing written in C is compiled, only its linker is needed.

    Fails where something is missing, and says all that is.
    """
    needed = {**CARGO, **COMPILERS} if compiles_c else {**CARGO, "cc": COMPILERS["cc"]}
    missing = [f"{name}: {what}" for name, what in needed.items() if not shutil.which(name)]
    broker = where_from() if real else ""
    if broker:
        print(f"broker and registry: {BROKERS[broker]}", flush=True)
    elif real:
        missing.append(NO_BROKER)
    if missing:
        raise Failure("the tests need what is missing here:" + bullets(missing))
    return broker


def where_from() -> str:
    """The first of BROKERS that is here, or none."""
    given = [bool(os.environ.get(f"FLEETSTORM_TEST_{name}")) for name in ("BOOTSTRAP", "REGISTRY")]
    if all(given):
        return "given"
    if any(given):
        raise Failure("FLEETSTORM_TEST_BOOTSTRAP and FLEETSTORM_TEST_REGISTRY go together:"
                      " set both or neither")
    if has_docker():
        return "docker"
    return "java" if has_java() else ""


def bullets(texts: list[str]) -> str:
    """A list for people."""
    return "".join(f"\n  - {text}" for text in texts)


def has_docker() -> bool:
    """Whether Docker runs here, with Compose."""
    return bool(shutil.which("docker")) and quiet("docker", "info") and \
        quiet("docker", "compose", "version")


def has_java() -> bool:
    """Whether Kafka can be fetched and run here."""
    return bool(shutil.which("java") and shutil.which("mvn")) and (java.version() or 0) >= 17
