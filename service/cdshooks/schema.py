"""Explanation: what is wrong with a piece of JSON, and where, by its published schema.

msgspec reads; jsonschema explains what msgspec refused. A complaint names a JSON pointer and
the rule broken, never the value found: that may be the patient's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import msgspec

from service.errors import Issue

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

SCHEMAS = (
    "request-patient-view",
    "request-order-select",
    "request-order-sign",
    "response",
    "discovery",
    "feedback",
    "operation-outcome",
)
_MOST = 10  # complaints told of one body


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of that name, one of SCHEMAS."""
    if name.startswith("request-"):
        return _request(name.removeprefix("request-"))
    return _file(name)


def _file(name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(
        (files("service.cdshooks") / "schemas" / f"{name}.json").read_bytes()
    )
    return found


def _request(hook: str) -> dict[str, Any]:
    """One file says what a request is; the hooks differ in their name and their context."""
    found = _file("request")
    found["$id"] += f"-{hook}"
    found["title"] += f", hook {hook}"
    found["properties"]["hook"] = {"const": hook}
    if hook == "patient-view":
        for name in ("selections", "draftOrders"):
            del found["properties"]["context"]["properties"][name]
    return found


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # 20 ms, and only a bad request needs it

    return Draft202012Validator(schema(name))


def warm_up() -> None:
    """Builds the validators of what comes in, so that the first bad request need not wait."""
    for name in SCHEMAS:
        if name.startswith(("request-", "feedback")):
            complaints(name, {})


def explain(name: str, body: bytes) -> tuple[Issue, ...]:
    """What schema ``name`` finds wrong with ``body``, at most ten issues; () when nothing.

    Raises RecursionError on JSON nested too deeply and ValueError on what is not JSON.
    """
    return complaints(name, json.loads(body, strict=False))


def complaints(name: str, value: object) -> tuple[Issue, ...]:
    """The same for JSON already decoded into Python objects."""
    errors = sorted(
        _leaves(_validator(name).iter_errors(value)), key=lambda e: list(map(str, e.absolute_path))
    )
    seen = dict.fromkeys(Issue(_words(e), _pointer(e)) for e in errors)
    return tuple(seen)[:_MOST]


def _leaves(errors: Iterator[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.validator in ("then", "else", "allOf") and error.context:
            yield from _leaves(iter(error.context))
        else:
            yield error


def _pointer(error: ValidationError) -> str:
    return "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1") for part in error.absolute_path
    )


def _words(error: ValidationError) -> str:
    rule, wanted = error.validator, cast(Any, error.validator_value)
    if rule == "required":
        instance = cast(dict[str, Any], error.instance)
        absent = [key for key in wanted if key not in instance]
        return f"missing: {', '.join(absent)}"
    if rule == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"expected {' or '.join(kinds)}"
    if rule == "const":
        return f"expected {json.dumps(wanted)}"
    if rule == "enum":
        return f"expected one of {', '.join(json.dumps(w) for w in wanted)}"
    if rule in ("minLength", "minItems", "minProperties"):
        return "must not be empty" if wanted == 1 else f"{rule} is {wanted}"
    if rule == "additionalProperties":
        return "has a property that is not expected"
    return f"breaks the rule {rule}: {json.dumps(wanted)}"[:200]
