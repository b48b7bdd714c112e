"""Refusal: why a command does nothing, for every command."""

from __future__ import annotations

import click


class Refusal(click.ClickException):
    """One message on standard error, exit code 2 as for wrong usage."""

    exit_code = 2
