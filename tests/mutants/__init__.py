"""Seeded faults: a bound shifted, a stop dropped, a unit swapped; the tables must notice each.

``faults`` lists them, ``judge`` runs one in a process of its own over a copy of ``cards`` in
which the text was replaced. ``python -m tests.mutants`` prints what caught each.
"""

from __future__ import annotations

from .faults import FAULTS, SECOND_WALL, Fault
from .judge import CARDS, CAUGHT, Verdict, verdict

__all__ = ["CARDS", "CAUGHT", "FAULTS", "SECOND_WALL", "Fault", "Verdict", "verdict"]
