"""rdkafka_performance, built from the source of the librdkafka that fleetstorm is linked with."""

import json
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

from kafka import ROOT, fail

from .programs import WORK, Command, limited

FOLDER = ROOT / "target" / "peers"  # librdkafka's source and rdkafka_performance
PROGRAM = FOLDER / "examples" / "rdkafka_performance"
NEXT_RECORD = Path(__file__).with_name("next_record.h")


def build() -> None:
    """Builds the program, unless it is there and of this source."""
    stamp, log = FOLDER / "built-from", WORK / "build.log"
    source = source_folder()
    built_from = f"{source} {zlib.crc32(NEXT_RECORD.read_bytes())}\n"
    if PROGRAM.exists() and stamp.exists() and stamp.read_text() == built_from:
        return
    print(f"building rdkafka_performance from {source} (once)", flush=True)
    copy(source)
    log.unlink(missing_ok=True)
    # Everything that it may not find is left out, but for zstd, which is told of if it's missing.
    limited(120, log, Command(["./configure", "--disable-ssl", "--disable-gssapi",
                               "--disable-curl", "--disable-lz4-ext"], zstd()), cwd=FOLDER)
    limited(1200, log, Command(["make", "-C", "src", "-j", "2", "librdkafka.a"]), cwd=FOLDER)
    use_next_record()
    limited(120, log, Command(["make", "-C", "examples", "rdkafka_performance"]), cwd=FOLDER)
    stamp.write_text(built_from)


def source_folder() -> Path:
    """Where cargo keeps librdkafka's source."""
    done = subprocess.run(["cargo", "metadata", "--locked", "--format-version", "1"], cwd=ROOT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode != 0:
        fail("cargo does not say where librdkafka's source is: see above")
    packages = json.loads(done.stdout)["packages"]
    manifest = next(p["manifest_path"] for p in packages if p["name"] == "rdkafka-sys")
    return Path(manifest).parent / "librdkafka"


def copy(source: Path) -> None:
    """Copies the source: building inside cargo's registry would change what other builds read."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(source, FOLDER, symlinks=True)
    for path in [FOLDER, *FOLDER.rglob("*")]:
        if not path.is_symlink():
            os.chmod(path, path.stat().st_mode | 0o200)


def zstd() -> dict[str, str]:
    """The zstd that fleetstorm is linked with, as cargo built it; without that, the system's."""
    built = sorted((ROOT / "target" / "release" / "build").glob("zstd-sys-*/out/libzstd.a"))
    if not built:
        return {}
    folder = built[-1].parent
    return {"CFLAGS": f"-I{folder}/include", "LDFLAGS": f"-L{folder}"}


def has_zstd() -> bool:
    """Whether one was found."""
    config = (FOLDER / "config.h").read_text()
    return re.search("^#define WITH_ZSTD 1", config, re.MULTILINE) is not None


def use_next_record() -> None:
    """Has the program send real records in place of its constant one."""
    shutil.copy(NEXT_RECORD, FOLDER)
    path = FOLDER / "examples" / "rdkafka_performance.c"
    text = re.sub(r'^#include "rdkafka\.h".*', r'\g<0>\n#include "../next_record.h"',
                  path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
