"""The command line."""

from service.cli.cli import main

__all__ = ["main"]
