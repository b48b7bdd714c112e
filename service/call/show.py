"""Show: what is printed of a call. The other side's text is shown inert, and no secret is.

A service may be anybody's: its control characters could rewrite the terminal, and an error may
quote the token it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}
_HIDDEN = "(not shown)"
_MOST = 2000  # characters of a body that is no answer


class Show:
    """Prints to ``console``. ``hide`` names further text that is never printed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._secrets: list[str] = []

    def hide(self, *secrets: str) -> None:
        self._secrets += [secret for secret in secrets if secret]

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(self._clean(text), style=style), soft_wrap=True)

    def headers(self, mark: str, headers: Mapping[str, str]) -> None:
        """Headers, each line behind ``mark``; the token in them is not shown."""
        for name, value in headers.items():
            shown = f"Bearer {_HIDDEN}" if name.lower() == "authorization" else value
            self.line(f"{mark} {name}: {shown}", "dim")

    def services(self, services: Iterable[Mapping[str, Any]]) -> None:
        """One line for each service of discovery."""
        for one in services:
            words = (_text(one.get(name)) for name in ("hook", "id", "title"))
            self.line("  " + "  ".join(word for word in words if word))

    def card(self, card: Any) -> None:
        """One card, whole."""
        card = card if isinstance(card, dict) else {}
        indicator, source = _text(card.get("indicator")), card.get("source")
        colour = _COLOURS.get(indicator, "white")
        label = _text(source.get("label")) if isinstance(source, dict) else ""
        head = f"{indicator.upper()}: {_text(card.get('summary'))}"
        detail = Markdown(self._clean(_text(card.get("detail"))), hyperlinks=False)
        self._console.print(
            Panel(
                # In the panel, not in its frame: there a long summary is cut.
                Group(Text(self._clean(head), style=f"bold {colour}"), Text(), detail),
                subtitle=Text(self._clean(label)) if label else None,
                border_style=colour,
            )
        )
        for suggestion in _dicts(card.get("suggestions")):
            star = "★" if suggestion.get("isRecommended") is True else "·"
            self.line(f"  {star} {_text(suggestion.get('label'))}", colour)
            for action in _dicts(suggestion.get("actions")):
                self.line(f"      {_text(action.get('type'))}: {_text(action.get('description'))}")

    def trouble(self, body: bytes) -> None:
        """What a body says that is no answer: the issues of an OperationOutcome, else itself."""
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        issues = _dicts(content.get("issue")) if isinstance(content, dict) else []
        for issue in issues:
            details = issue.get("details")
            text = _text(details.get("text")) if isinstance(details, dict) else ""
            words = [word for word in (text, _text(issue.get("diagnostics"))) if word]
            self.line(f"  {_text(issue.get('severity'))}: {' '.join(words)}")
        if not issues and body:
            self.line(f"  {body[:_MOST].decode('utf-8', 'replace')}")

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return "".join(
            c if c == "\n" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
