"""The Java that is here, and the commands that run Kafka's classes by it."""

import re
import shutil
import subprocess
from typing import Optional

from .console import Failure
from .files import CLUSTER, JARS

#: For tools that soon end: they start in half the time where little is compiled.
QUICK = "-XX:TieredStopAtLevel=1"


def version() -> Optional[int]:
    """The major version of the Java in the path, or None where it tells none."""
    # openjdk version "17.0.15" ... -> 17
    told = subprocess.run(["java", "-version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace").stdout
    found = re.search(r' version "(\d+)', told)
    return int(found.group(1)) if found else None


def need_java() -> None:
    """Fails where there is no Java that Kafka 4 runs on."""
    if not shutil.which("java"):
        raise Failure("Java is needed to run Kafka: install a JDK, 17 or later")
    here = version()
    if here is None or here < 17:
        told = here if here is not None else "of no known version"
        raise Failure(f"Kafka 4 needs Java 17 or later; this is {told}")


def kafka(*arguments: str, options: tuple = (QUICK,)) -> list[str]:
    """The command that runs a class of Kafka's with arguments, by a JVM with options."""
    return ["java", *options, "-cp", f"{JARS}/kafka/*",
            f"-Dlog4j2.configurationFile={CLUSTER}/log4j2.properties", *arguments]
