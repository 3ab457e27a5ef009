"""The tests themselves."""

import os
import re
import shutil
import subprocess
import time
from typing import Sequence

from . import parts
from .machine import has_java
from .steps import ROOT, Failure, call, stop

NEEDS = ("which need Java and Maven, kcat or Go (acl_: or FLEETSTORM_TEST_ACL_BOOTSTRAP;"
         " secure_: or FLEETSTORM_TEST_SECURE_DIR and its like)")


def run(chosen: Sequence[str], arguments: Sequence[str], real: bool) -> None:
    """Runs the parts that are chosen, or all, with more arguments of cargo's."""
    skip = left_out() if real else []
    own = list(arguments)
    ours, theirs = (own[:own.index("--")], own[own.index("--") + 1:]) if "--" in own else (own, [])
    # Always the whole workspace, with all features, so that nothing is compiled twice.
    call("cargo", "test", "--release", "--workspace", "--no-fail-fast", "--features", "real-tests",
         *parts.targets(chosen), *ours, "--", *theirs, *skip)
    if skip:
        print(f"left out: the tests named as in {' '.join(skip)}, {NEEDS}", flush=True)


def left_out() -> list[str]:
    """Options that leave out the tests for which this machine lacks something."""
    java = has_java()
    names = []
    if not os.environ.get("FLEETSTORM_TEST_ACL_BOOTSTRAP"):
        names.append("acl_")
    if not os.environ.get("FLEETSTORM_TEST_SECURE_DIR"):
        names.append("secure_")
    if not java:
        names += ["stalled_", "advertised_", "flink_", "serdes_"]
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
        call("cargo", "test", "--release", "--no-fail-fast", "--features", "real-tests",
             "--test", "real_verify", "--test", "real_direct", env=there)
    finally:
        stop(child)
