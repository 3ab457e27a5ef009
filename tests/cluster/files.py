"""Files and folders of a cluster."""

import shutil
from pathlib import Path

CLUSTER = Path(__file__).resolve().parent
ROOT = CLUSTER.parents[1]

#: Downloads, shared by all clusters.
JARS = ROOT / "target" / "cluster"


def remove(path: Path) -> None:
    """Removes a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what an earlier cluster left, but for its logs.

    By name, never the whole folder: it may be anything.
    """
    for pattern in ("data-*", "broker-*.properties", "broker-*.port"):
        for path in folder.glob(pattern):
            remove(path)
    for name in ("registry.port", "env", "secure"):
        remove(folder / name)


def port_of(folder: Path, name: str) -> int:
    """The port that a broker or the registry of a cluster has."""
    return int((folder / f"{name}.port").read_text())


def keep_port(folder: Path, name: str, port: int) -> None:
    """Keeps it, for who starts the process again and who asks for it."""
    (folder / f"{name}.port").write_text(f"{port}\n")
