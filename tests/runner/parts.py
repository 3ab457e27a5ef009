"""The parts that the tests fall into, and what cargo is told to run of them."""

import re
from typing import NamedTuple, Sequence

from .steps import ROOT, Failure


class Part(NamedTuple):
    """What cargo runs of a part."""

    #: The packages that are built for it; without any, the whole workspace.
    packages: Sequence[str]
    #: Units and examples of these packages.
    units: Sequence[str]
    #: The binaries of tests, by their names.
    tests: Sequence[str]


PARTS = {
    # The simulation alone, without a broker or a process; nothing of it is written in C.
    "model": Part(["fleetstorm-model"], ["--lib", "--examples"], ["model"]),
    # The program, and the broker and the registry that it brings, by binaries of their crates.
    "program": Part([], ["--lib", "--bins"], ["program", "broker", "producer", "requests"]),
    # Against real Kafka and a real registry: the program, and the clients of crates/broker.
    "real": Part([], [], ["real", "real_clients"]),
}

#: The modules of tests/real, in the order in which they are run, each alone: some measure, or stop
#: brokers that they have started, and need the machine to themselves.
REAL_MODULES = [
    "bad_input", "direct", "doctor", "faults", "flink", "flink_answers", "kafka_streams", "quotas",
    "read_back", "registry", "security", "stalls", "topic_changes", "verify",
]


def choose(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts that are asked for, and the arguments that are cargo's."""
    options = {f"--{part}": part for part in PARTS}
    own = arguments[:arguments.index("--")] if "--" in arguments else arguments
    parts = [options[argument] for argument in own if argument in options]
    rest = [argument for argument in own if argument not in options]
    return list(dict.fromkeys(parts)), rest + list(arguments[len(own):])


def workspace(parts: Sequence[str]) -> list[str]:
    """Cargo's options for the packages of these parts."""
    if list(parts) == ["model"]:
        return [word for package in PARTS["model"].packages for word in ("--package", package)]
    # Always all of it, with all features, so that nothing is compiled twice.
    return ["--workspace", "--features", "real-tests"]


def targets(parts: Sequence[str], but: Sequence[str] = ()) -> list[str]:
    """Cargo's options for units and binaries of these parts, or of all, but for some binaries."""
    words: list[str] = []
    for part in parts or PARTS:
        words += [unit for unit in PARTS[part].units if unit not in words]
        tests = [test for test in PARTS[part].tests if test not in but]
        words += [word for test in tests for word in ("--test", test)]
    return words


def check() -> None:
    """Fails unless each binary and module of the tests is in a table above, and nothing else is."""
    compare("binary", test_names(), [test for part in PARTS.values() for test in part.tests])
    modules = re.findall(r"^mod (\w+);", (ROOT / "tests/real/main.rs").read_text(), re.MULTILINE)
    files = {path.stem for path in (ROOT / "tests" / "real").glob("*.rs")} - {"main"}
    compare("module", {module for module in modules if module in files}, REAL_MODULES)
    for file in sorted(files - set(modules)):
        raise Failure(f"tests/real/{file}.rs is no module of tests/real/main.rs")
    for binary in PARTS["real"].tests:
        check_feature(binary)
    check_filters()


def compare(kind: str, there: set[str], named: Sequence[str]) -> None:
    """Fails where one of the two has a name that the other has not."""
    for name in sorted(there - set(named)):
        raise Failure(f"the {kind} {name} of the tests is in no table of tests/runner/parts.py")
    for name in sorted(set(named) - there):
        raise Failure(f"tests/runner/parts.py has the {kind} {name}, and there is none")


def test_names() -> set[str]:
    """The names by which cargo knows the tests of all packages."""
    names = set()
    for tests in [ROOT / "tests", *ROOT.glob("crates/*/tests")]:
        names |= {path.stem for path in tests.glob("*.rs")}
        names |= {path.parent.name for path in tests.glob("*/main.rs")}
    return names


def check_feature(binary: str) -> None:
    """Fails unless the manifest of the binary's package builds it with the feature alone."""
    entry = re.compile(rf'name = "{binary}"\n(?:\w.*\n)*required-features = \["real-tests"\]')
    manifests = [ROOT / "Cargo.toml", *ROOT.glob("crates/*/Cargo.toml")]
    if not any(entry.search(manifest.read_text()) for manifest in manifests):
        raise Failure(f"no Cargo.toml has a [[test]] entry of {binary} that requires real-tests")


def check_filters() -> None:
    """Fails where the name of one module of tests/real would pick tests of another as well."""
    for module in REAL_MODULES:
        text = (ROOT / "tests" / "real" / f"{module}.rs").read_text()
        for inner in re.findall(r"\bmod (\w+)", text):
            for other in REAL_MODULES:
                if f"{inner}::".endswith(f"{other}::"):
                    raise Failure(f"the module {inner} of tests/real/{module}.rs is run with that"
                                  f" named {other}: give it another name")
