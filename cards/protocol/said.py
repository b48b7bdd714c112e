"""Said: what is wrong with a value that a file or a setting holds, in words of ours.

The library that checks shapes has its own ("Input should be a valid tuple"); whoever edits a
file knows lists, tables and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAID = {
    "missing": "is missing",
    "extra_forbidden": "there is no such entry",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must have the form {pattern}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
}
# The beginning of the kind of a fault, and what was expected.
_EXPECTED = (
    (("float_", "int_", "decimal_"), "a number"),
    (("string_",), "text"),
    (("bool_",), "true or false"),
    (("list_", "tuple_", "set_", "frozen_set_"), "a list"),
    (("dict_", "model_", "mapping_"), "a table"),
    (("date_",), "a date, as in 2026-11-25"),
    (("path_",), "a path"),
)


def said(error: Mapping[str, Any]) -> str:
    """What one of ``ValidationError.errors()`` says. Never the value: it may be a secret."""
    kind = str(error["type"])
    if kind in _SAID:
        return _SAID[kind].format_map(error.get("ctx", {}))
    for begins, expected in _EXPECTED:
        if kind.startswith(begins):
            return f"must be {expected}"
    return str(error["msg"]).removeprefix("Value error, ")
