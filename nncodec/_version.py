"""The one place the version is written."""

__version__ = "0.1.0.dev0"
"""The version of the package, as in its metadata."""
