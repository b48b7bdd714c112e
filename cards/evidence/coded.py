"""Coded: whether what stands in a code's place looks like one, and may be told as such.

Clients put names of drugs, and of people, where codes belong.
"""

from __future__ import annotations

import re

# A name of a person has a space or a comma.
_CODE = re.compile(r"[\w.:/+|^#%*\[\](){}~°'-]{1,40}")
_URI = re.compile(r"(?:https?://|urn:)[\w.:/+|#%~?=&-]{1,190}")


def has_code_shape(text: str) -> bool:
    """Whether a text has the shape of a code, a URI or a unit; "" has."""
    return not text or _CODE.fullmatch(text) is not None or _URI.fullmatch(text) is not None
