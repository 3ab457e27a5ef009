"""Certificates for the listeners of --secure and their clients, by OpenSSL."""

from pathlib import Path

from . import programs
from .console import Failure, show_end

LIMIT = 60  # seconds that each call of openssl may take

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Certificates:
    """A folder of certificates."""

    def __init__(self, cluster: Path) -> None:
        self.folder = cluster / "secure"
        self.log = cluster / "certificates.log"
        self.names = self.folder / "localhost.cnf"

    def make(self) -> None:
        """Makes all that a cluster and its tests need."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.names.write_text("subjectAltName=DNS:localhost\n")
        self.authority("ca")
        self.authority("other-ca")
        self.certificate("broker", "ca", "localhost", 30)
        self.certificate("expired", "ca", "localhost", -1)
        self.certificate("writer", "ca", "writer", 30)
        self.certificate("limited", "ca", "limited", 30)
        self.certificate("stranger", "other-ca", "writer", 30)

    def authority(self, name: str) -> None:
        """A certificate that signs others, in NAME.pem, and its key in NAME.key."""
        self.openssl("req", "-x509", *KEY, "-days", "30", "-subj", f"/CN=fleetstorm {name}",
                     "-keyout", self.file(f"{name}.key"), "-out", self.file(f"{name}.pem"))

    def certificate(self, name: str, authority: str, common_name: str, days: int) -> None:
        """One in NAME.pem, with its key, for the host localhost."""
        key, request, signed = (self.file(f"{name}.{kind}") for kind in ("key", "csr", "crt"))
        self.openssl("req", "-new", *KEY, "-subj", f"/CN={common_name}",
                     "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.file(f"{authority}.pem"),
                     "-CAkey", self.file(f"{authority}.key"), "-CAcreateserial",
                     "-days", str(days), "-out", signed, "-extfile", str(self.names))
        both = Path(signed).read_text() + Path(key).read_text()
        Path(self.file(f"{name}.pem")).write_text(both)

    def file(self, name: str) -> str:
        """The path of a file in the folder."""
        return str(self.folder / name)

    def openssl(self, *arguments: str) -> None:
        """Calls OpenSSL; the log holds what its last call printed."""
        try:
            code = programs.run(["openssl", *arguments], self.log, LIMIT)
        except FileNotFoundError:
            self.log.write_text("openssl: command not found\n")
            code = None
        if code != 0:
            show_end(self.log)
            raise Failure("certificates could not be made: is there OpenSSL 1.1.1 or later?")
