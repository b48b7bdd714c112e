"""Filled: what the workbench's form says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cards.protocol import PROFILES
from service.cdshooks.request import SERVICES
from service.pages.example import FIRST

HOOKS = tuple(SERVICES.values())
RUNNING = ""  # the profile that the service runs


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form says. ``example`` is to be loaded; ``label`` names the one that was, and
    whose text it still is. ``fresh`` for a text that was not decided yet: its controls stand as
    the text has them; ``hushing`` whether earlier answers count."""

    text: str = ""
    example: str = ""
    label: str = ""
    hook: str = ""
    profile: str = RUNNING
    fresh: bool = True
    hushing: bool = True
    values: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()


def read_form(form: Mapping[str, Sequence[str]]) -> Filled:
    """The Filled of a form's fields, each with its values; what is not a field is passed over."""
    one = {name: values[0] for name, values in form.items() if values}
    action = one.get("action", "fresh")
    hook, profile = one.get("hook", ""), one.get("profile", RUNNING)
    return Filled(
        text=one.get("text", "").replace("\r\n", "\n"),
        example=one.get("example", "") if action == "example" else "",
        label=one.get("example", "") if action == "decide" else "",
        hook=hook if hook in HOOKS and action != "example" else "",
        profile=profile if profile in PROFILES else RUNNING,
        fresh=action in ("fresh", "example"),
        hushing=one.get("hushing", "on") == "on",
        values=one,
        flags=frozenset(form.get("flag", ())),
    )


def first_form() -> Filled:
    """What a newcomer sees: the first example, decided."""
    return Filled(example=FIRST)
