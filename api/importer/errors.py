"""What can go wrong while a file is imported.

FileImportError
├── BadMapping     the mapping cannot be used; every line of the message names file, line, key and reason
├── BadFile        the file cannot be read as the mapping says
└── RowRefused     one row makes no events; the others go in
"""

from __future__ import annotations


class FileImportError(Exception):
    """The import cannot go on."""


class BadMapping(FileImportError):
    """The mapping cannot be used: one line for each thing wrong, as `file:line: key: reason`."""


class BadFile(FileImportError):
    """The file cannot be read."""


class RowRefused(FileImportError):
    """A row cannot become events; the message is the reason."""
