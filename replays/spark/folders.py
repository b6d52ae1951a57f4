"""Folders as Spark reaches them: of this machine, or of whatever storage its cluster is set up for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.dataset
from pyarrow import fs

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE: Final = "file://"
SPARKS: Final = {"s3": "s3a", "gcs": "gs"}
ARROWS: Final = {"s3a": "s3", "s3n": "s3"}
"""Schemes of storage that the two call differently."""


class FolderTaken(LedgerError):
    """Tables were to be written to a folder that holds something already."""

    def __init__(self, place: str, name: str) -> None:
        super().__init__(f"{place} holds {name} already: name a folder that is empty or not there yet")


def spark_uri(place: str | Path) -> str:
    """A folder or file as Spark names it; a path without a scheme is one of this machine."""
    text = str(place)
    if "://" not in text:
        # Hadoop takes a path as it stands: nothing in it is escaped
        return f"{HERE}{Path(place).expanduser().resolve()}"
    scheme, _, rest = text.partition("://")
    return f"{SPARKS.get(scheme, scheme)}://{rest.partition('?')[0]}"


def for_arrow(place: str | Path, name: str) -> tuple[fs.FileSystem, str]:
    """A file or folder in a folder for Arrow: where it is, and its path there. What a URI says of the way to an object
    store (`?endpoint_override=…`) is for Arrow; Spark is told by its settings."""
    scheme, found, rest = str(place).partition("://")
    if not found or scheme == "file":
        return fs.LocalFileSystem(), f"{spark_uri(place).removeprefix(HERE)}/{name}"
    folder, asked, how = rest.partition("?")
    files, path = fs.FileSystem.from_uri(f"{ARROWS.get(scheme, scheme)}://{folder.rstrip('/')}/{name}{asked}{how}")
    return files, path


class Folder:
    """A folder that the driver and every worker reach under one URI."""

    def __init__(self, spark: SparkSession, place: str | Path) -> None:
        self.place = spark_uri(place)
        self._told = place
        self._jvm = spark.sparkContext._jvm
        self._files = self._at(self.place).getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())

    def uri(self, name: str) -> str:
        return f"{self.place.rstrip('/')}/{name}"

    def names(self) -> list[str]:
        """What is directly in it; nothing where there is no such folder."""
        path = self._at(self.place)
        return (
            sorted(one.getPath().getName() for one in self._files.listStatus(path)) if self._files.exists(path) else []
        )

    def require_vacant(self) -> None:
        """Raises FolderTaken."""
        for name in self.names():
            raise FolderTaken(self.place, name)

    def write(self, name: str, content: bytes) -> None:
        stream = self._files.create(self._at(self.uri(name)), True)
        try:
            stream.write(content)
        finally:
            stream.close()

    def delete(self, name: str) -> None:
        """Delete a file, or a folder and all that is in it."""
        self._files.delete(self._at(self.uri(name)), True)

    def dataset(self, name: str) -> pyarrow.dataset.Dataset:
        """The Parquet files of a folder in it, for Arrow."""
        files, base = for_arrow(self._told, name)
        return pyarrow.dataset.dataset(base, filesystem=files, format="parquet")

    def _at(self, uri: str) -> Any:
        jvm: Any = self._jvm
        return jvm.org.apache.hadoop.fs.Path(uri)
