"""The command line of benches/vs_peers."""

import re
import sys
from dataclasses import dataclass, field
from typing import Iterator

from kafka import fail

USAGE = """\
usage: benches/vs_peers [OPTION...]

Prints acknowledged records a second and processor time a record of kafka-producer-perf-test,
rdkafka_performance and fleetstorm against one broker of Apache Kafka, for each of the settings,
with the broker's and the machine's load, and at last one table in Markdown.

  --runs N               of each program and setting (5), besides one that isn't counted
  --records N            a run (3000000)
  --acks LIST            of all and 1: all is idempotent, 1 isn't ("all 1")
  --compression LIST     of none, gzip, snappy, lz4 and zstd ("none lz4 zstd")
  --batch-size N         batch.size of all three (1000000)
  --producers LIST       numbers for fleetstorm's --producers, each measured, the fastest compared
                         (without this, fleetstorm runs without that option)
  --transport LIST       of librdkafka and direct: fleetstorm's own producers ("librdkafka direct")
  --payload real|constant  what rdkafka_performance sends (real)
  -X key=value           a librdkafka property for fleetstorm and rdkafka_performance
  -J key=value           a property for the Java client
  --broker kafka|embedded  embedded: the one in `fleetstorm run --keep`, in another process; it is
                         crates/broker, against which perf-test is not run (kafka)

It needs target/release/fleetstorm (cargo build --release makes it), cargo, a C and a C++ compiler,
make, Python 3.9, Java 17, for Kafka Maven, and Linux for the load of broker and machine.
"""

#: What the words of a list must be.
LISTS = {
    "--acks": "all|1",
    "--compression": "none|gzip|snappy|lz4|zstd",
    "--producers": "[1-9][0-9]*",
    "--transport": "librdkafka|direct",
}
NUMBERS = ("--runs", "--records", "--batch-size")
CHOICES = {"--broker": ("kafka", "embedded"), "--payload": ("real", "constant")}


@dataclass
class Options:
    """What is to be compared, and how."""

    runs: int = 5
    records: int = 3_000_000
    batch_size: int = 1_000_000
    acks: list[str] = field(default_factory=lambda: ["all", "1"])
    compression: list[str] = field(default_factory=lambda: ["none", "lz4", "zstd"])
    producers: list[str] = field(default_factory=list)
    transport: list[str] = field(default_factory=lambda: ["librdkafka", "direct"])
    broker: str = "kafka"
    payload: str = "real"
    properties: list[str] = field(default_factory=list)
    java_properties: list[str] = field(default_factory=list)

    def run_limit(self) -> int:
        """The seconds that a run may take."""
        return 120 + self.records // 20_000


def parse(arguments: list[str]) -> Options:
    """Reads the options; ends where they are wrong, or help is asked for."""
    options = Options()
    rest = iter(arguments)
    for name in rest:
        attribute = name.lstrip("-").replace("-", "_")
        if name in CHOICES:
            setattr(options, attribute, choice(name, rest))
        elif name in NUMBERS:
            setattr(options, attribute, number(name, rest))
        elif name in LISTS:
            setattr(options, attribute, words(name, rest))
        elif name == "-X":
            options.properties.append(key_value(name, rest))
        elif name == "-J":
            options.java_properties.append(key_value(name, rest))
        elif name in ("-h", "--help"):
            sys.stdout.write(USAGE)
            sys.exit(0)
        else:
            sys.stderr.write(USAGE)
            sys.exit(2)
    return options


def choice(name: str, rest: Iterator[str]) -> str:
    """One of two words."""
    word, known = next(rest, ""), CHOICES[name]
    if word not in known:
        fail(f"{name} is {' or '.join(known)}")
    return word


def number(name: str, rest: Iterator[str]) -> int:
    """A number of 1 or more."""
    text = next(rest, "")
    if not re.fullmatch("[1-9][0-9]*", text):
        fail(f"{name} needs a number of 1 or more")
    return int(text)


def words(name: str, rest: Iterator[str]) -> list[str]:
    """A list, with commas or blanks between its words."""
    listed, known = next(rest, "").replace(",", " ").split(), LISTS[name]
    for word in listed:
        if not re.fullmatch(known, word):
            fail(f"{name} takes a list of {known}, not '{word}'")
    if not listed:
        fail(f"{name} needs a list")
    return listed


def key_value(name: str, rest: Iterator[str]) -> str:
    """A property."""
    text = next(rest, "")
    if "=" not in text:
        fail(f"{name} needs key=value")
    return text
