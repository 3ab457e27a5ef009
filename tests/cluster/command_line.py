"""The command line of tests/cluster/cluster."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import brokers, commands
from .console import Failure
from .files import JARS
from .interrupts import end_in_order
from .processes import names
from .up import Wanted, up

USAGE = """\
usage: tests/cluster/cluster COMMAND [--dir DIR]

  up [--brokers 1|3] [--acl] [--secure] [--no-registry] [--set KEY=VALUE...]
                  start a cluster and print how to reach it (also kept in DIR/env); --set gives all
                  brokers a property, before those in this file
  down            stop what `up` started and delete its data; the logs stay
  status          say which processes run; exits 1 unless all do
  stop-broker N [--kill]
                  stop one broker in good order, or at once as a crash would
  start-broker N  start a stopped broker again, on its port and data
  pause-broker N  hold a broker still: connections stand and nothing is answered
  resume-broker N let it go on
  elect-leaders   give every partition to the first of its replicas
  forbid-writer   take its rights from the user writer of a --secure cluster

DIR is target/cluster/run unless given. With --acl brokers authorize: the usual address belongs to
a super user, and FLEETSTORM_TEST_ACL_BOOTSTRAP is a SASL_PLAINTEXT address (mechanism PLAIN) with
the user `limited`, password `limited-secret`, who may do nothing.

With --secure (one broker) brokers authorize as well, and there are, on the name localhost:
  FLEETSTORM_TEST_SASL_BOOTSTRAP      SASL_PLAINTEXT with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and
                                      OAUTHBEARER, which takes tokens that nobody signed
  FLEETSTORM_TEST_SASL_SSL_BOOTSTRAP  the same under TLS
  FLEETSTORM_TEST_SSL_BOOTSTRAP       TLS with client certificates, whose common name is the user
  FLEETSTORM_TEST_EXPIRED_BOOTSTRAP   TLS with a certificate that has expired
The user `writer` (passwords `plain-secret` by PLAIN, `scram-secret` by SCRAM) may use the topics
that begin with `secure-`, the user `limited` (the same passwords) see those that begin with
`described-` and do nothing else. FLEETSTORM_TEST_SECURE_DIR holds
PEM: ca.pem signed the brokers' certificates, writer.pem and limited.pem hold clients' certificates
with their keys; stranger.pem is signed by other-ca.pem, which the brokers don't know.
"""

#: Commands for a whole cluster, and for one of its brokers.
WHOLE = {
    "down": commands.down,
    "status": commands.status,
    "elect-leaders": commands.elect_leaders,
    "forbid-writer": commands.forbid_writer,
}
ONE = {
    "start-broker": commands.start_broker,
    "pause-broker": commands.pause_broker,
    "resume-broker": commands.resume_broker,
}
HELP = ("help", "--help", "-h")


@dataclass
class Options(Wanted):
    """What stands behind the command: the cluster, and what is for one of its brokers."""

    folder: Path = JARS / "run"
    kill: bool = False
    number: str = ""


def main(arguments: list[str]) -> NoReturn:
    """Does what is asked for, and ends with its exit code."""
    end_in_order()
    if not arguments:
        usage_error()
    try:
        sys.exit(act(arguments[0], parse(arguments[1:])))
    except (Failure, OSError) as failure:
        print(f"cluster: {failure}", file=sys.stderr)
        sys.exit(1)


def usage_error() -> NoReturn:
    """Says how it is called."""
    sys.stderr.write(USAGE)
    sys.exit(2)


def act(command: str, options: Options) -> int:
    """Does a command; its exit code."""
    if command == "up":
        up(options)
        return 0
    if command in WHOLE:
        return WHOLE[command](options.folder)
    if command in ONE:
        return ONE[command](options.folder, need_broker(command, options))
    if command == "stop-broker":
        return commands.stop_broker(options.folder, need_broker(command, options), options.kill)
    if command in HELP:
        sys.stdout.write(USAGE)
        return 0
    usage_error()


def need_broker(command: str, options: Options) -> int:
    """The number of a broker that is there."""
    folder = options.folder
    if options.number.isdecimal() and brokers.settings(folder, int(options.number)).exists():
        return int(options.number)
    there = " ".join(name for name in names(folder) if name.startswith("broker"))
    raise Failure(f"{command} needs the number of a broker of {folder}; it has: {there or 'none'}")


def parse(arguments: list[str]) -> Options:
    """Reads the options, which are the same for all commands."""
    options = Options()
    rest = iter(arguments)
    for argument in rest:
        if argument == "--dir":
            options.folder = folder(next(rest, ""))
        elif argument == "--brokers":
            options.brokers = broker_count(next(rest, ""))
        elif argument == "--set":
            options.properties += (a_property(next(rest, "")),)
        elif argument == "--acl":
            options.acl = True
        elif argument == "--secure":
            options.secure = True
        elif argument == "--no-registry":
            options.registry = False
        elif argument == "--kill":
            options.kill = True
        elif re.match("[0-9]", argument):
            options.number = argument
        else:
            raise Failure(f"unknown argument '{argument}': `cluster help` lists them")
    if options.secure and options.brokers != 1:
        raise Failure("--secure goes with one broker")
    return options


def folder(text: str) -> Path:
    """The folder of a cluster, from the root, as processes are known by it."""
    if not text:
        raise Failure("--dir needs a folder")
    return Path.cwd() / text


def broker_count(text: str) -> int:
    """How many brokers there are to be."""
    if text not in ("1", "3"):
        raise Failure(f"--brokers is 1 or 3, not '{text}'")
    return int(text)


def a_property(text: str) -> str:
    """A property of the brokers."""
    if "=" not in text:
        raise Failure("--set needs KEY=VALUE")
    return text
