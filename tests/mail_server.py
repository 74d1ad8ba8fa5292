"""A mail server on a port of its own: as much of SMTP as Django's backend speaks, and nothing is sent on."""

import socketserver
import threading
from typing import Self


class MailServer:
    """Keeps what it got: envelope recipients and the letter as it came. While it `hangs` it greets nobody."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes]] = []
        self.hangs = False
        self.refuses = False
        self._over = threading.Event()
        kept = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if kept.hangs:
                    kept._over.wait(30)
                    return
                kept._talk(self)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def _talk(self, connection: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            connection.wfile.write(f"{line}\r\n".encode())

        recipients: list[str] = []
        say("220 mail.test ready")
        while line := connection.rfile.readline().decode().strip():
            verb = line.split(" ", maxsplit=1)[0].upper().split(":")[0]
            if verb == "DATA":
                say("354 go on")
                self.got.append((recipients, self._letter(connection)))
                say("250 kept")
            elif verb == "RCPT" and self.refuses:
                say("550 no such mailbox team@example.com")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                recipients += [line.partition("<")[2].partition(">")[0]] if verb == "RCPT" else []
                say("250 mail.test" if verb in ("EHLO", "HELO") else "250 ok")

    @staticmethod
    def _letter(connection: socketserver.StreamRequestHandler) -> bytes:
        lines = []
        while (line := connection.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return b"".join(lines)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
