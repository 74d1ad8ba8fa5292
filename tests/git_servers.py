"""Real git servers on this machine: `git http-backend` behind HTTPS with an authority of its own, and an `sshd`."""

import base64
import contextlib
import datetime
import getpass
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, TOKEN = "robot", "glpat-Secret.7Yx2mB0nQ"
AUTHORIZED = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
BACKEND = Path("/usr/lib/git-core/git-http-backend")
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

# What a developer's own configuration would change, and one identity.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ana Otter",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "Ana Otter",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Upstream:
    """A repository below `root` that somebody works on: `name.git` is what the servers show of it."""

    def __init__(self, root: Path, name: str = "assistant") -> None:
        self.bare = root / f"{name}.git"
        self.work = root.parent / f"{name}-work"
        self.work.mkdir(parents=True)
        git(self.work, "init", "-q", "-b", "main")
        git(self.work.parent, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(self.bare, "config", "uploadpack.allowReachableSHA1InWant", "true")
        git(self.work, "remote", "add", "origin", str(self.bare))

    def commit(self, files: dict[str, str | bytes], message: str = "Teach it to greet", *, amend: bool = False) -> str:
        """The files are there beside those that were; the commit's name. `amend`: as by a forced push."""
        for path, text in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.commit_all(message, amend=amend)

    def submodule(self, other: "Upstream", path: str) -> str:
        git(self.work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.bare), path)
        return self.commit_all(f"Share {path}")

    def commit_all(self, message: str = "Change it", *, amend: bool = False) -> str:
        git(self.work, "add", "-A", "-f")
        git(self.work, "commit", "-q", "-m", message, *(["--amend"] if amend else []))
        git(self.work, "push", "-q", "-f", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """The files of an authority's certificate, and of a server's certificate with its key for this machine."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: x509.Name, of: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(issuer, name, of.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key, names)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(certificate(issuer, authority_key, x509.BasicConstraints(ca=True, path_length=None)))
    server_file.write_bytes(server + private)
    return ca_file, server_file


@dataclass
class HttpsGit:
    """`url` of the repositories below `root`. `ca_file` is to be trusted. `mood` changes its answers: "" is as usual,
    "hang" says nothing, "trickle" hangs in the middle, a number is a status, a URL a redirect."""

    root: Path
    folder: Path
    mood: str = ""
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ca_file, server_file = make_certificates(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_file)
        self.going = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.going.set()
        self.server.shutdown()
        self.server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: HttpsGit


class Handler(BaseHTTPRequestHandler):
    server: Server

    @property
    def owner(self) -> HttpsGit:
        return self.server.owner

    def do_GET(self) -> None:
        self.owner.seen.append(self.path)
        if self.owner.mood == "hang":
            self.owner.going.wait(60)
        elif self.owner.mood.startswith("https:"):
            self.answer(302, {"Location": self.owner.mood + self.path})
        elif self.owner.mood.isdigit():
            self.answer(int(self.owner.mood))
        elif self.headers.get("Authorization") != AUTHORIZED:
            self.answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self.serve()

    do_POST = do_GET

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self) -> None:
        path, _, query = self.path.partition("?")
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self._chunks()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        variables = {
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": USER,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run([str(BACKEND)], input=body, env=variables, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        if self.owner.mood == "trickle" and self.command == "POST":
            self.send_response(200)
            self.send_header("Content-Type", headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.owner.going.wait(60)
            return
        self.answer(status, headers, content)

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class SshGit:
    """An `sshd` for the user of this process. `key` opens it, `known_hosts` is what it proves itself with."""

    root: Path
    folder: Path

    def __post_init__(self) -> None:
        assert SSHD
        for name in ("host", "other-host", "key", "other-key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/key.pub\nStrictModes no\nPermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        )
        # Where it is root it wants this folder, which a service would have made.
        with contextlib.suppress(OSError):
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.root}"
        self.key = (self.folder / "key").read_text()
        self.other_key = (self.folder / "other-key").read_text()
        self.known_hosts = self._known("host")
        self.other_known_hosts = self._known("other-host")
        self._wait()

    def _known(self, name: str) -> str:
        return f"[127.0.0.1]:{self.port} {(self.folder / f'{name}.pub').read_text()}"

    def _wait(self) -> None:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("sshd does not answer")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@contextlib.contextmanager
def serving(server: type[HttpsGit] | type[SshGit], root: Path, folder: Path) -> Iterator[HttpsGit | SshGit]:
    started = server(root, folder)
    try:
        yield started
    finally:
        started.close()
