"""A witness by the text of C2SP's tlog-witness, over real HTTP on the loopback address.

It knows logs by origin and keys, and keeps what it cosigned last. Version 1.0 shows nothing and answers 409 where a
tree of the same size has another root; 1.1 shows its last checkpoint, and answers 422.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.seal.notes import BadNote, Checkpoint, Note, Verifier
from ledger.seal.tree import extends
from tests.seal.plain_tree import mth

Answer = tuple[int, str, bytes]


@dataclass
class Witness:
    """One that cosigns logs it was told of. `instead` answers in its place, for one that misbehaves."""

    name: str = "witness.example/w1"
    shows: bool = True
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    logs: dict[str, list[Verifier]] = field(default_factory=dict)
    last: dict[str, tuple[Checkpoint, str]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    instead: Callable[[str, bytes], Answer | None] = lambda *_: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n\x04" + self.key.public_key().public_bytes_raw()).digest()[:4]

    @property
    def verifier(self) -> str:
        public = base64.b64encode(b"\x04" + self.key.public_key().public_bytes_raw()).decode()
        return f"{self.name}+{self.key_id.hex()}+{public}"

    @property
    def setting(self) -> str:
        return f"{self.address}#{self.verifier}"

    def knows(self, *verifiers: Verifier) -> None:
        for each in verifiers:
            self.logs.setdefault(each.name, []).append(each)

    def cosigned(self, text: str) -> str:
        moment = int(time.time())
        signature = self.key.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
        line = base64.b64encode(self.key_id + moment.to_bytes(8, "big") + signature).decode()
        return f"— {self.name} {line}\n"

    def add_checkpoint(self, body: bytes) -> Answer:
        try:
            head, _, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            word, told = first.split(" ")
            old, proof = int(told), [base64.b64decode(line, validate=True) for line in lines]
            read = Note.read(note)
            checkpoint = Checkpoint.of(read)
            if word != "old" or str(old) != told or len(proof) > 63:
                raise ValueError(first)
        except (ValueError, BadNote) as error:
            return 400, "text/plain", str(error).encode()
        keys = self.logs.get(checkpoint.origin)
        if keys is None:
            return 404, "text/plain", b"unknown origin\n"
        try:
            if not any(each.signed(read) for each in keys):
                return 403, "text/plain", b"unknown key\n"
        except BadNote:
            return 403, "text/plain", b"bad signature\n"
        if old > checkpoint.size:
            return 400, "text/plain", b"old is larger\n"
        with self.lock:
            size, root = 0, mth([])
            if checkpoint.origin in self.last:
                size, root = self.last[checkpoint.origin][0].size, self.last[checkpoint.origin][0].root
            conflict = 409, "text/x.tlog.size", f"{size}\n".encode()
            if old != size:
                return conflict
            if old == checkpoint.size and root != checkpoint.root and not self.shows:
                return conflict
            if not (extends(old, root, checkpoint.size, checkpoint.root, proof) if old else not proof):
                return 422, "text/plain", b"not consistent\n"
            line = self.cosigned(read.text)
            self.last[checkpoint.origin] = checkpoint, note + line
        return 200, "text/plain", line.encode()

    def shown(self, path: str) -> Answer:
        for origin, (_, note) in self.last.items():
            if self.shows and path == f"/w1/{sha256(origin.encode()).hexdigest()}/checkpoint":
                return 200, "text/plain; charset=utf-8", note.encode()
        return 404, "text/plain", b"nothing here\n"

    @contextmanager
    def served(self, port: int = 0) -> Iterator[Witness]:
        """Over HTTP, until the end."""
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path.startswith("/w1/"):
                    self.answer(witness.instead(self.path, body) or witness.add_checkpoint(body))
                else:
                    self.answer((404, "text/plain", b""))

            def do_GET(self) -> None:
                self.answer(witness.instead(self.path, b"") or witness.shown(self.path))

            def answer(self, told: Answer) -> None:
                status, kind, body = told
                witness.asked.append((self.command, status))
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                if 300 <= status < 400:
                    self.send_header("location", f"{witness.address}/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{server.server_port}/w1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
