"""The tests themselves."""

import os
import re
import shutil
import subprocess
import time
from typing import Any, Sequence

from . import parts
from .machine import has_java
from .steps import ROOT, Failure, status, stop

NEEDS = ("which need Java and Maven, kcat or Go (acl_: or FLEETSTORM_TEST_ACL_BOOTSTRAP;"
         " secure_: or FLEETSTORM_TEST_SECURE_DIR and its like)")


class Runs:
    """Runs of cargo, one after the other, each to its end whatever became of those before."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages
        self.failed: list[str] = []

    def run(self, what: str, words: Sequence[str], own: Sequence[str], **more: Any) -> None:
        """Runs tests: `words` are cargo's, `own` those of the tests' binaries."""
        if status("cargo", "test", "--release", "--no-fail-fast", *self.packages, *words,
                  "--", *own, **more) != 0:
            self.failed.append(what)

    def end(self) -> None:
        """Fails where one of them has."""
        if self.failed:
            raise Failure(f"tests failed above: {', '.join(self.failed)}", 101)


def run(chosen: Sequence[str], arguments: Sequence[str], real: bool) -> None:
    """Runs the parts that are chosen, or all, with more arguments of cargo's."""
    skip = left_out() if real else []
    given = list(arguments)
    words, own = given, []
    if "--" in given:
        words, own = given[:given.index("--")], given[given.index("--") + 1:]
    runs = Runs(parts.workspace(chosen))
    if words:
        # Whoever names tests says what is run, at once.
        named = parts.targets(chosen) if chosen else []
        runs.run(" ".join(words), [*named, *words], [*own, *skip])
    else:
        run_parts(runs, chosen, own, skip)
    if skip:
        print(f"left out: the tests named as in {' '.join(skip)}, {NEEDS}", flush=True)
    runs.end()


def run_parts(runs: Runs, chosen: Sequence[str], own: Sequence[str], skip: Sequence[str]) -> None:
    """Runs whole parts: binaries one after the other, and those of tests/real module by module."""
    others = parts.targets(chosen, but=["real"])
    if others:
        runs.run("units and binaries", others, [*own, *skip])
    if not chosen:
        runs.run("documentation", ["--doc"], own)
    if not chosen or "real" in chosen:
        for module in parts.REAL_MODULES:
            runs.run(f"real {module}", ["--test", "real"], [f"{module}::", *own, *skip])


def left_out() -> list[str]:
    """Options that leave out the tests for which this machine lacks something."""
    java = has_java()
    names = []
    if not os.environ.get("FLEETSTORM_TEST_ACL_BOOTSTRAP"):
        names.append("acl_")
    if not os.environ.get("FLEETSTORM_TEST_SECURE_DIR"):
        names.append("secure_")
    if not java:
        names += ["stalled_", "advertised_", "flink_", "serdes_", "streams_jobs_"]
    # Clients that this machine lacks, or for whose tools there are no jars, which the Java cluster
    # fetches.
    if not (java and (ROOT / "target" / "cluster" / "kafka").is_dir()):
        names.append("clients_")
    if not shutil.which("kcat"):
        names.append("clients_kcat")
    if not shutil.which("go"):
        names += ["clients_franz", "clients_sarama"]
    return [word for name in names for word in ("--skip", name)]


def run_embedded() -> None:
    """Runs the tests of writing and verifying on the program's own broker and registry.

    Nothing of what these show may differ from Kafka.
    """
    log = ROOT / "target" / "embedded.log"
    with open(log, "wb") as out:
        child = subprocess.Popen(
            ["target/release/fleetstorm", "broker",
             "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"], cwd=ROOT, stderr=out)
    try:
        for _ in range(100):
            if "Press" in log.read_text():
                break
            time.sleep(0.1)
        told = dict(re.findall(r"^(Broker|Registry): *(.*)$", log.read_text(), re.MULTILINE))
        if len(told) < 2:
            raise Failure(f"the embedded broker told no addresses within 10 s: see {log}")
        there = dict(os.environ, FLEETSTORM_TEST_BOOTSTRAP=told["Broker"],
                     FLEETSTORM_TEST_REGISTRY=told["Registry"])
        runs = Runs(parts.workspace(["real"]))
        for module in ["verify", "direct"]:
            runs.run(f"real {module}", ["--test", "real"], [f"{module}::"], env=there)
        runs.end()
    finally:
        stop(child)
