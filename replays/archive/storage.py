"""Where an archive's files stand: a folder of this machine, or object storage (`s3://…`, `gs://…`) through pyarrow.

A file appears under its name whole or not at all: it is filled under another name, brought to disk, and renamed.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
from pyarrow import fs

from ledger.errors import LedgerError
from ledger.files import to_disk

PARTIAL = ".partial"
"""How the name of a file ends that is being filled, or was when its process ended."""
BLOCK = 4 * 2**20


class StorageFailed(LedgerError):
    """A folder or a file of it cannot be read or written."""


class Missing(StorageFailed):
    """There is no such file."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is missing")


class Storage:
    """A folder and the files in it, each named by its path below the folder, such as `segments/….parquet`.

    Every method raises StorageFailed, with the file's place, where the folder cannot be reached.
    """

    def __init__(self, files: fs.FileSystem, base: str, place: str) -> None:
        self.files = files
        self.base = base.rstrip("/")
        self.place = place
        self.local = isinstance(files, fs.LocalFileSystem)

    @classmethod
    def at(cls, place: str | Path) -> Storage:
        """The folder of a path or a URI. Raises StorageFailed where nothing here can reach such a URI."""
        scheme, found, _ = str(place).partition("://")
        if not found:
            here = str(Path(place).expanduser().resolve())
            return cls(fs.LocalFileSystem(), here, here)
        with _told(f"{scheme}://…"):
            files, base = fs.FileSystem.from_uri(str(place))
        # a URI may hold a key and a secret, which have no place in what is told of it
        return cls(files, base, base if isinstance(files, fs.LocalFileSystem) else f"{scheme}://{base}")

    def path(self, name: str) -> str:
        """Where a file stands, as `files` names it."""
        return f"{self.base}/{name}"

    def uri(self, name: str) -> str:
        """Where a file stands, as other programs name it: a path of this machine, or a URI."""
        return f"{self.place}/{name}"

    def names(self, folder: str = "") -> list[str]:
        """The files directly in a folder of this one, in order; none where there is no such folder."""
        below = f"{self.base}/{folder}".rstrip("/")
        with _told(self.uri(folder)):
            found = self.files.get_file_info(fs.FileSelector(below, allow_not_found=True))
        start = f"{folder}/" if folder else ""
        return sorted(start + one.base_name for one in found if one.type == fs.FileType.File)

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises Missing."""
        with _told(self.uri(name)), self.files.open_input_stream(self.path(name)) as stream:
            content: bytes = stream.read()
        return content

    def digest(self, name: str) -> tuple[str, int]:
        """A file's SHA-256 (hexadecimal) and its length in bytes. Raises Missing."""
        found, length = hashlib.sha256(), 0
        with _told(self.uri(name)), self.files.open_input_stream(self.path(name), compression=None) as stream:
            while block := stream.read(BLOCK):
                found.update(block)
                length += len(block)
        return found.hexdigest(), length

    def open(self, name: str) -> pyarrow.NativeFile:
        """A file, opened for reading anywhere in it. Raises Missing."""
        with _told(self.uri(name)):
            return self.files.open_input_file(self.path(name))

    @contextmanager
    def filling(self, name: str) -> Iterator[Path]:
        """A file of this machine, to be filled within the block; at its end it stands under its name.

        Where the block raises, or its process ends, the name has whatever it had before.
        """
        folder, _, last = name.rpartition("/")
        partial = self.path(f"{folder}/{last}.{secrets.token_hex(4)}{PARTIAL}".lstrip("/"))
        with _told(self.uri(folder)):
            self.files.create_dir(f"{self.base}/{folder}".rstrip("/"), recursive=True)
        with tempfile.TemporaryDirectory(prefix="reqledger-archive-") as elsewhere:
            filled = Path(partial) if self.local else Path(elsewhere) / last
            try:
                yield filled
                with _told(self.uri(name)):
                    if self.local:
                        to_disk(filled)
                    else:
                        self._send(filled, partial)
                    self.files.move(partial, self.path(name))
                    if self.local:
                        to_disk(filled.parent)
            except BaseException:
                if self.local:
                    filled.unlink(missing_ok=True)
                raise

    def write(self, name: str, content: bytes) -> None:
        """Have these bytes under a name, instead of what stood there."""
        with self.filling(name) as path:
            path.write_bytes(content)

    def clear(self, folder: str = "") -> None:
        """Delete what was being filled in a folder when its process ended."""
        for name in self.names(folder):
            if name.endswith(PARTIAL):
                self.delete(name)

    def delete(self, name: str) -> None:
        with _told(self.uri(name)):
            self.files.delete_file(self.path(name))

    def _send(self, filled: Path, to: str) -> None:
        with filled.open("rb") as source, self.files.open_output_stream(to, compression=None) as target:
            while block := source.read(BLOCK):
                target.write(block)


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Missing(where) from None
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise StorageFailed(f"{where} cannot be read or written: {error}") from error
