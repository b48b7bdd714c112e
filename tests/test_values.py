"""One kind of immutable value in ``cards``, and the exceptions by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cards

ROOT = Path(cards.__file__).parent
# Equality or hash is not that of all fields, which a Struct cannot say.
NOT_BY_FIELDS = {
    "evidence/evidence.py:Evidence",
    "evidence/evidence.py:Unread",
    "codes/formulary.py:Formulary",
    "orders/identity.py:Identity",
}


def classes(source: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """(class, its kind): "dataclass", "struct" or "" for neither."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            marks = [ast.unparse(mark) for mark in (*node.decorator_list, *node.bases)]
            kinds = [kind for kind in ("dataclass", "Struct") if any(kind in m for m in marks)]
            yield node, kinds[0] if kinds else ""


def faults(source: str, place: str) -> list[str]:
    """What of a module is no value of the one kind."""
    found = []
    for node, kind in classes(source):
        name = f"{place}:{node.name}"
        marks = ast.unparse(node.decorator_list[0]) if node.decorator_list else ""
        builds = node.name.startswith("_") and "frozen" not in marks
        if kind == "dataclass" and name not in NOT_BY_FIELDS and not builds:
            found.append(f"{name}: a value is a frozen Struct")
        if kind == "Struct" and "frozen=True" not in [ast.unparse(k) for k in node.keywords]:
            found.append(f"{name}: a Struct is frozen")
        keeps = any(
            "cached_property" in ast.unparse(mark)
            for item in node.body
            if isinstance(item, ast.FunctionDef)
            for mark in item.decorator_list
        )
        if kind == "Struct" and keeps != ("dict=True" in [ast.unparse(k) for k in node.keywords]):
            found.append(f"{name}: dict=True is for what is computed once, and for nothing else")
    return found


def test_the_values_of_cards_are_of_one_kind() -> None:
    places = {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.rglob("*.py")}
    assert [fault for place, text in places.items() for fault in faults(text, place)] == []
    here = {
        f"{place}:{node.name}"
        for place, text in places.items()
        for node, kind in classes(text)
        if kind == "dataclass"
    }
    assert here >= NOT_BY_FIELDS  # an exception that is none any more is taken out here


@pytest.mark.parametrize(
    "source",
    [
        "@dataclass(frozen=True, slots=True)\nclass A: pass",
        "@dataclass(frozen=True)\nclass _A: pass",
        "@dataclass\nclass A: pass",
        "class A(Struct): pass",
        "class A(Struct, frozen=True):\n    @cached_property\n    def b(self): pass",
        "class A(Struct, frozen=True, dict=True): pass",
    ],
)
def test_another_kind_is_refused(source: str) -> None:
    assert faults(source, "x.py")
