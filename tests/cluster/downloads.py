"""The jars of Apache Kafka and Apicurio Registry, by Maven."""

import filecmp
import shutil

from . import programs
from .console import Failure, say, show_end
from .files import CLUSTER, JARS, remove

LIMIT = 900  # seconds that each download may take

POM = CLUSTER / "pom.xml"
STAMP = JARS / "pom.stamp"


def download() -> None:
    """Fetches the jars, unless a stamp says that this pom's are there."""
    if STAMP.exists() and filecmp.cmp(POM, STAMP, shallow=False):
        return
    if not shutil.which("mvn"):
        raise Failure("Maven is needed to download Kafka: install Maven 3.6 or later")
    say(f"downloading Kafka and the registry into {JARS} (once)")
    for path in (STAMP, JARS / "kafka", JARS / "registry", JARS / "maven"):
        remove(path)
    JARS.mkdir(parents=True, exist_ok=True)
    maven("kafka", "dependency:copy-dependencies", "-DincludeScope=runtime")
    maven("registry", "dependency:unpack")
    # Written last, so that a download that was cut short is done again.
    shutil.copyfile(POM, STAMP)


def maven(what: str, goal: str, *options: str) -> None:
    """Has Maven fetch something into the folder of its name."""
    log = JARS / f"maven-{what}.log"
    command = ["mvn", "-B", "-f", str(POM), goal, *options, f"-DoutputDirectory={JARS / what}"]
    code = programs.run(command, log, LIMIT)
    if code is None:
        raise Failure(f"downloading took more than {LIMIT} s (mvn {goal}); its output is in {log}")
    if code != 0:
        show_end(log)
        raise Failure(f"mvn {goal} failed (above; all of it in {log}):"
                      " is Maven Central, or a mirror of it, reachable?")
