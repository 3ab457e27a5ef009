"""The parts that the tests fall into, and what cargo is told to run of them."""

from typing import Sequence

from .steps import ROOT, Failure

#: What cargo runs of each part: units of the packages, and the tests of these names.
PARTS = {
    # The simulation alone, without a broker or a process.
    "model": (["--lib"], [
        "anomalies", "determinism", "encoding", "failures", "figures", "partitioning", "patterns",
        "profiles", "scenarios", "schedule", "signals", "stationary"]),
    # The program, and the broker and the registry that it brings.
    "program": (["--bins"], [
        "answers", "bad_input", "broker_faults", "command_line", "doctor", "embedded", "output",
        "preview", "report",
        # of crates/broker
        "basics", "compaction", "faults", "strangers", "transactions", "versions",
        # of crates/registry
        "requests"]),
    # Against real Kafka and a real registry.
    "real": ([], [
        "real_bad_input", "real_direct", "real_doctor", "real_faults", "real_flink", "real_kafka",
        "real_quotas", "real_registry", "real_security", "real_stalls", "real_verify",
        # of crates/broker
        "real_clients"]),
}


def choose(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts that are asked for, and the arguments that are cargo's."""
    options = {f"--{part}": part for part in PARTS}
    own = arguments[:arguments.index("--")] if "--" in arguments else arguments
    parts = [options[argument] for argument in own if argument in options]
    rest = [argument for argument in own if argument not in options]
    return parts, rest + list(arguments[len(own):])


def targets(parts: Sequence[str]) -> list[str]:
    """Cargo's options for these parts; without any, it runs all that there is."""
    words = []
    for part in dict.fromkeys(parts):
        units, tests = PARTS[part]
        words += units
        words += [word for test in tests for word in ("--test", test)]
    return words


def check() -> None:
    """Fails unless each test of the workspace is in a part, and nothing else is."""
    named = {test for _, tests in PARTS.values() for test in tests}
    there = test_names()
    for test in sorted(there - named):
        raise Failure(f"the test {test} is in no part: add it in tests/runner/parts.py")
    for test in sorted(named - there):
        raise Failure(f"there is no test {test}: take it out of tests/runner/parts.py")


def test_names() -> set[str]:
    """The names by which cargo knows the tests of all packages."""
    names = set()
    for tests in [ROOT / "tests", *ROOT.glob("crates/*/tests")]:
        names |= {path.stem for path in tests.glob("*.rs")}
        names |= {path.parent.name for path in tests.glob("*/main.rs")}
    return names


def check_real_tests() -> None:
    """Fails unless Cargo.toml has each test of the real cluster, with its feature."""
    manifest = (ROOT / "Cargo.toml").read_text()
    for path in sorted((ROOT / "tests").glob("real_*.rs")):
        if f'path = "tests/{path.name}"' not in manifest:
            raise Failure(f"tests/{path.name} has no [[test]] entry in Cargo.toml,"
                          " with its feature")
