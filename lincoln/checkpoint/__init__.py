"""Networks and training runs in files."""

from lincoln.checkpoint.architecture import rebuild
from lincoln.checkpoint.file import candidates, prune, read, write
from lincoln.checkpoint.network import check, describe, fill, grouped, load, save

__all__ = ["candidates", "check", "describe", "fill", "grouped", "load", "prune", "read", "rebuild", "save", "write"]
