"""Starts a cluster: all of it, or nothing of it stays."""

import time
from dataclasses import dataclass
from pathlib import Path

from . import brokers, registry, rights, settings
from .certificates import Certificates
from .console import Failure, say
from .downloads import download
from .files import keep_port, remove_leftovers
from .interrupts import held
from .java import need_java
from .ports import FreePorts
from .processes import names, need_ps, running, stop
from .settings import Node, SecurePorts


@dataclass
class Wanted:
    """The cluster that is asked for."""

    folder: Path
    brokers: int = 1
    acl: bool = False
    secure: bool = False
    registry: bool = True
    properties: tuple[str, ...] = ()


def up(wanted: Wanted) -> None:
    """Starts a cluster, and prints and keeps how to reach it."""
    began = time.monotonic()
    folder = wanted.folder
    need_java()
    need_ps()
    if any(running(folder, name) for name in names(folder)):
        raise Failure(f"a cluster runs in {folder} already: `cluster down --dir {folder}` stops it")
    download()

    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    for pattern in ("*.log", "*.pid"):
        for path in folder.glob(pattern):
            path.unlink()
    try:
        environment = start(wanted)
    except BaseException:  # Whatever it was, a signal too.
        with held():
            stop(folder, names(folder))
            remove_leftovers(folder)
        raise
    say(f"up after {time.monotonic() - began:.0f} s, in {folder}")
    print(environment, end="", flush=True)


def start(wanted: Wanted) -> str:
    """Starts everything, waits until it serves and writes the environment file; its text."""
    folder = wanted.folder
    free = FreePorts()
    nodes = write_settings(wanted, free)
    if wanted.secure:
        Certificates(folder).make()

    # The registry takes longest to start, so it starts first, while storage is formatted.
    if wanted.registry:
        registry.start(folder, free.pick())
    numbers = [node.number for node in nodes]
    brokers.format_storage(folder, numbers, wanted.secure)
    for number in numbers:
        brokers.start(folder, number)
    for number in numbers:
        brokers.wait(folder, number)
    if wanted.secure:
        rights.give(folder, bootstrap(nodes))

    text = "".join(f"FLEETSTORM_TEST_{line}\n" for line in environment(wanted, nodes))
    part = folder / "env.part"
    part.write_text(text)
    part.replace(folder / "env")  # whole or not there
    return text


def write_settings(wanted: Wanted, free: FreePorts) -> list[Node]:
    """Gives the brokers their ports and writes their properties."""
    nodes = [Node(number + 1, free.pick()) for number in range(wanted.brokers)]
    voters = ",".join(f"{node.number}@127.0.0.1:{node.controller}" for node in nodes)
    for node in nodes:
        node.plain = free.pick()
        node.acl = free.pick() if wanted.acl else None
        node.more = wanted.properties
        if wanted.secure:
            node.secure = SecurePorts(free.pick(), free.pick(), free.pick(), free.pick())
        keep_port(wanted.folder, brokers.name(node.number), node.plain)
        settings.write(wanted.folder, node, voters, copies=wanted.brokers)
    return nodes


def bootstrap(nodes: list[Node]) -> str:
    """The usual addresses of the brokers."""
    return ",".join(f"127.0.0.1:{node.plain}" for node in nodes)


def environment(wanted: Wanted, nodes: list[Node]) -> list[str]:
    """How the cluster is reached, NAME=VALUE; waits for the registry."""
    lines = [f"BOOTSTRAP={bootstrap(nodes)}"]
    if wanted.acl:
        lines.append("ACL_BOOTSTRAP=" + ",".join(f"127.0.0.1:{node.acl}" for node in nodes))
    secure = nodes[0].secure
    if secure:
        lines += [
            f"SASL_BOOTSTRAP=localhost:{secure.sasl}",
            f"SASL_SSL_BOOTSTRAP=localhost:{secure.sasl_tls}",
            f"SSL_BOOTSTRAP=localhost:{secure.mutual}",
            f"EXPIRED_BOOTSTRAP=localhost:{secure.expired}",
            f"SECURE_DIR={wanted.folder}/secure",
        ]
    if wanted.registry:
        lines.append(f"REGISTRY={registry.wait(wanted.folder)}")
    return lines
