"""Real input: CSV and XLSX files become events by a mapping that says what each row stands for."""

from api.importer.errors import BadFile, BadMapping, FileImportError
from api.importer.importing import Report, import_file
from api.importer.loading import load, shipped

__all__ = ["BadFile", "BadMapping", "FileImportError", "Report", "import_file", "load", "shipped"]
