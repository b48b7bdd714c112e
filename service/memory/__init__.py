"""Memory: what was shown, what was answered, and what follows from it.

::

    pseudonym.py   the key, and what it makes of a patient, a result, a draft, a comment
    shown.py       the rows of one decision
    unrecognised.py  codes, units and names that are not known here, counted
    entry.py       a ready part of the site's file for one of them
    writer.py      the queue through which they reach the store: it never delays a hook
    memory.py      the one door: remember, answered, take
    outcomes.py    what became of the cards, counted

A hook is answered whatever becomes of its rows; feedback is answered when it is on the disk.
"""

from service.memory.memory import Memory
from service.memory.pseudonym import Pseudonyms, read_key

__all__ = ["Memory", "Pseudonyms", "read_key"]
