"""The documents' own forms as XLSX: which tables fill them, under which heads, and how they are written."""
