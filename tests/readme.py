"""The README in parts: its sections, the commands and the configuration blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


@dataclass(frozen=True)
class Block:
    """A fence: ``commands`` of a console one, each as it is typed; ``text`` of another."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        if self.language != "console":
            return []
        found: list[str] = []
        goes_on = False
        for line in self.text.splitlines():
            if goes_on:
                found[-1] += f"\n{line}"
            elif line.startswith("$ "):
                found.append(line[2:])
            else:
                continue
            goes_on = line.endswith("\\")
        return found


@dataclass(frozen=True)
class Part:
    """What stands under one heading, down to the next one of any depth."""

    title: str
    blocks: list[Block] = field(default_factory=list)


def parts(text: str) -> list[Part]:
    """The parts of a Markdown text that hold a fence, in order."""
    found = [Part("")]
    fences = re.compile(r"^```(\w*)\n(.*?)^```|^#+ ([^\n]*)$", re.MULTILINE | re.DOTALL)
    for match in fences.finditer(text):
        if match[3] is not None:
            found.append(Part(match[3]))
        else:
            found[-1].blocks.append(Block(match[1], match[2]))
    return [part for part in found if part.blocks]
