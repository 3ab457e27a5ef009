"""The schema registry: Apicurio, whose /apis/ccompat/v7 speaks the Confluent registry's API."""

from pathlib import Path

from . import processes
from .console import Failure
from .files import JARS, keep_port, port_of
from .ports import registry_answers

NAME = "registry"


def start(folder: Path, port: int) -> None:
    """Starts it, without waiting for it."""
    runners = sorted((JARS / "registry").glob("apicurio-registry-app-*-runner.jar"))
    if not runners:
        raise Failure(f"there is no registry in {JARS}/registry:"
                      f" remove {JARS}/pom.stamp, and it is downloaded again")
    keep_port(folder, NAME, port)
    # Its storage is H2 in memory. Compiling little and collecting simply halves a short run's
    # start. The home also puts the folder into its command line, by which it is known.
    processes.launch(folder, NAME, [
        "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        f"-Duser.home={folder}/", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}",
        "-Dquarkus.log.level=WARN", "-jar", str(runners[-1])])


def wait(folder: Path) -> str:
    """Waits until it serves; its URL."""
    port = port_of(folder, NAME)
    processes.wait_for(folder, NAME, port, registry_answers)
    return f"http://127.0.0.1:{port}/apis/ccompat/v7"
