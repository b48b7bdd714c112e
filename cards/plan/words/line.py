"""Line: a line of a card's detail, and how readily it is dropped when space is short."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Part = Literal["top", "giving", "foot"]


class Line(Struct, frozen=True, gc=False):
    """``keep`` 0 is never dropped; the highest number is dropped first."""

    text: str
    part: Part = "top"
    keep: int = 0
