"""Networks and training runs in files."""

from lincoln.checkpoint.architecture import rebuild
from lincoln.checkpoint.file import candidates, check, describe, fill, grouped, load, prune, read, save, write

__all__ = ["candidates", "check", "describe", "fill", "grouped", "load", "prune", "read", "rebuild", "save", "write"]
