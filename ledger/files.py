"""Files that appear under their name whole or not at all, and are on disk before anybody is told of them."""

import os
from pathlib import Path


def put(path: Path, text: str, mode: int = 0o666) -> None:
    """Put `text` into the file at `path`, instead of what it held. Raises OSError."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    to_disk(path.parent)


def put_secret(path: Path, text: str) -> None:
    """Put a secret key into the file at `path`, which its owner alone can read; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, text, 0o600)


def to_disk(path: Path) -> None:
    """Bring a file's content to disk, or a folder's names. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
