"""What the benches here have in common: the program, and Apache Kafka on this machine."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NoReturn

ROOT = Path(__file__).resolve().parents[1]
FLEETSTORM = ROOT / "target" / "release" / "fleetstorm"
CLUSTER = ROOT / "tests" / "cluster" / "cluster"

if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or later is needed")
sys.path.insert(0, str(ROOT / "tests"))
from cluster.interrupts import end_in_order  # noqa: E402 (it lies there)


def fail(text: str) -> NoReturn:
    """Ends with what went wrong, in the name of the program that runs."""
    sys.exit(f"{Path(sys.argv[0]).stem}: {text}")


def need(path: Path, how: str) -> None:
    """Fails where a program is not there, and says how it comes there."""
    if not os.access(path, os.X_OK):
        fail(f"{path} is missing: {how}")


def need_fleetstorm() -> None:
    """Fails where the program is not built."""
    need(FLEETSTORM, "cargo build --release makes it")


@contextmanager
def kafka(name: str, *options: str) -> Iterator[dict[str, str]]:
    """Starts a cluster with more options of `cluster up`, and stops it, however it ends.

    Yields the variables that say how to reach it.
    """
    folder = ROOT / "target" / "cluster" / name
    end_in_order()
    try:
        cluster("down", "--dir", str(folder))  # what a killed run may have left
        if cluster("up", "--dir", str(folder), *options) != 0:
            fail("Kafka did not start: see above")
        yield dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
    finally:
        cluster("down", "--dir", str(folder))


def cluster(*arguments: str) -> int:
    """Calls tests/cluster/cluster, which says aloud only what goes wrong."""
    return subprocess.run([CLUSTER, *arguments], stdout=subprocess.DEVNULL).returncode
