"""What the users of a cluster may do with its topics."""

from pathlib import Path
from typing import Sequence

from . import programs
from .console import Failure, show_end
from .java import kafka

LIMIT = 120  # seconds

WRITER = ("Create", "Describe", "DescribeConfigs", "Read", "Write")
LIMITED = ("Describe", "DescribeConfigs")


def give(folder: Path, bootstrap: str) -> None:
    """Gives the users of a --secure cluster what its help tells of."""
    change(folder, bootstrap, ("--add",), "writer", "secure-", WRITER)
    change(folder, bootstrap, ("--add",), "limited", "described-", LIMITED)


def take_from_writer(folder: Path, bootstrap: str) -> None:
    """Takes its rights from the user writer."""
    change(folder, bootstrap, ("--remove", "--force"), "writer", "secure-", WRITER)


def change(folder: Path, bootstrap: str, action: Sequence[str], user: str, prefix: str,
           operations: Sequence[str]) -> None:
    """Changes what a user may do with the topics that begin so."""
    log = folder / "acl.log"
    named = [word for operation in operations for word in ("--operation", operation)]
    command = kafka("org.apache.kafka.tools.AclCommand", "--bootstrap-server", bootstrap, *action,
                    "--allow-principal", f"User:{user}",
                    "--topic", prefix, "--resource-pattern-type", "prefixed", *named)
    if programs.run(command, log, LIMIT) != 0:
        show_end(log)
        raise Failure(f"the rights of the user {user} could not be changed")
