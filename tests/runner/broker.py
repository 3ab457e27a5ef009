"""The broker and the registry that the tests run against."""

import os
from contextlib import contextmanager
from typing import Iterator

from .steps import ROOT, Failure, call, status

COMPOSE = ["docker", "compose", "-p", "fleetstorm-test", "-f", "compose/kafka.yml"]
DOCKER_WAIT = 180  # seconds
CLUSTER = ROOT / "tests" / "cluster" / "cluster"
CLUSTER_DIR = "target/cluster/tests"


@contextmanager
def serving(kind: str) -> Iterator[None]:
    """Starts them, has the environment name them, and stops what it started, however it ends."""
    try:
        if kind == "docker":
            start_docker()
        elif kind == "java":
            start_java()
        yield
    finally:
        if kind == "docker":
            status(*COMPOSE, "down", "--volumes", "--timeout", "20")
        elif kind == "java":
            status(CLUSTER, "down", "--dir", CLUSTER_DIR)


def start_docker() -> None:
    """Starts the containers of compose/kafka.yml."""
    if status(*COMPOSE, "up", "--detach", "--wait", "--wait-timeout", str(DOCKER_WAIT),
              "kafka", "registry") != 0:
        status(*COMPOSE, "logs", "--tail", "30", "kafka", "registry")
        raise Failure(f"the containers above did not become healthy within {DOCKER_WAIT} s")
    kafka = os.environ.get("KAFKA_PORT") or "9092"
    registry = os.environ.get("REGISTRY_PORT") or "8081"
    os.environ["FLEETSTORM_TEST_BOOTSTRAP"] = f"127.0.0.1:{kafka}"
    os.environ["FLEETSTORM_TEST_REGISTRY"] = f"http://127.0.0.1:{registry}/apis/ccompat/v7"


def start_java() -> None:
    """Starts a cluster on free ports."""
    # An earlier run that was killed may have left its cluster there.
    call(CLUSTER, "down", "--dir", CLUSTER_DIR)
    call(CLUSTER, "up", "--acl", "--secure", "--dir", CLUSTER_DIR)
    for line in (ROOT / CLUSTER_DIR / "env").read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value
