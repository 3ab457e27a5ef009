"""What people are told."""

import sys
from pathlib import Path


class Failure(Exception):
    """What went wrong, to what, and what to do: in the words that people read."""


def say(text: str) -> None:
    """Tells how far things are."""
    print(f"cluster: {text}", flush=True)


def show_end(log: Path, lines: int = 20) -> None:
    """Prints the last lines of a log to standard error."""
    if log.exists():
        text = log.read_text(errors="replace")
        sys.stderr.writelines(line + "\n" for line in text.splitlines()[-lines:])
