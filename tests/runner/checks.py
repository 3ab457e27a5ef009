"""Checks that come before the tests, and what these read with."""

import filecmp
import os
import shutil
import sys
from typing import Sequence

from cluster.files import remove

from .steps import ROOT, Failure, call, status

VENV = ROOT / "target" / "venv"
PIP = VENV / "bin" / "pip"
READERS = ROOT / "tests" / "readers" / "requirements.txt"

VERSIONS = """\
import confluent_kafka, fastavro
print("confluent-kafka", confluent_kafka.__version__, "and fastavro", fastavro.__version__)
"""


def formatting() -> None:
    """The layout of the source."""
    call("cargo", "fmt", "--all", "--check")


def lints(packages: Sequence[str]) -> None:
    """What clippy knows."""
    # One profile throughout, so that librdkafka and OpenSSL are compiled once.
    call("cargo", "clippy", "--release", *packages, "--all-targets", "--", "-D", "warnings")


def documentation(packages: Sequence[str]) -> None:
    """The crates' documentation, whose links must lead somewhere."""
    call("cargo", "doc", "--release", "--no-deps", *packages,
         env=dict(os.environ, RUSTDOCFLAGS="-D warnings"))


def readers() -> None:
    """Makes the Python in which records are read by other libraries than ours."""
    stamp = VENV / "requirements.stamp"
    if not (stamp.exists() and filecmp.cmp(READERS, stamp, shallow=False)):
        remove(VENV)
        if status(sys.executable, "-m", "venv", VENV) != 0:
            raise Failure(f"no virtual environment could be made in {VENV}"
                          " (on Debian: apt-get install python3-venv)")
        call(PIP, "install", "--quiet", "--disable-pip-version-check", "-r", READERS)
        shutil.copyfile(READERS, stamp)
    python = VENV / "bin" / "python"
    call(python, "-c", VERSIONS)
    os.environ["FLEETSTORM_TEST_PYTHON"] = str(python)


def partitioning_vectors() -> None:
    """Compares how keys are hashed with Kafka's own client."""
    vectors = "crates/model/tests/vectors"
    made = ROOT / "target" / "murmur2.tsv"
    with open(made, "wb") as out:
        call("java", "-cp", "target/cluster/kafka/*", f"{vectors}/Murmur2.java", stdout=out)
    if status("diff", made, f"{vectors}/murmur2.tsv") != 0:
        raise Failure(f"{vectors}/murmur2.tsv is not what Kafka's own client gives:"
                      " the difference is above")
    lines = len(made.read_bytes().splitlines())
    print(f"{lines} keys are as the client hashes them", flush=True)
