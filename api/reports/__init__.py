"""The documents' three reports: what is in them, as data; read at one moment, written as a page, issued and kept."""
