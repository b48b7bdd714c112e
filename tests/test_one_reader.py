"""One reader each: no module but the readers opens a concept, a reference, a timing or a dose.

Read as syntax: ``x.coding``, ``x.reference``, ``x.repeat``, ``x.doseAndRate``, and the same by
``getattr``, subscript or ``get``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RAW = frozenset({"coding", "reference", "repeat", "doseAndRate"})
# Each with its entry: what others call.
READERS = {
    "cards/fhir/resource.py": {"coding"},  # the shapes themselves
    "cards/fhir/concept.py": {"coding"},  # read_codes, sent_codes, read_class, words_of, status_of
    "cards/fhir/version.py": {"coding"},  # as_r4: a concept in the place of another version
    "cards/fhir/reference.py": {"reference"},  # target_of, key_of, medication_reference
    "cards/evidence/place.py": {"reference"},  # Places: where it leads
    "cards/evidence/whose.py": {"reference"},  # Whose: whose it is
    "cards/evidence/evidence.py": {"reference"},  # its quick path: Patient/<id>, Encounter/<id>
    "cards/orders/identity.py": {"reference"},  # identify
    "cards/orders/schedule.py": {"repeat"},  # read_schedule: how often
    "cards/orders/bounds.py": {"repeat"},  # stated_bounds: from when until when
    "cards/orders/dosage.py": {"repeat"},  # read_dosage: over how long
    "cards/orders/dose.py": {"doseAndRate"},  # parts_of
    "service/gather/judgement.py": {"reference"},  # its quick path: Patient/<id>
    "service/gather/reference.py": {"reference"},  # medication_references: what is to be fetched
}
# ``.reference`` of an order, an administration, a treatment: which resource it is, in our words.
OWN_NAMES = frozenset(
    {
        "cards/assessment/treated.py",
        "cards/assessment/flags.py",
        "cards/assessment/stops.py",
        "cards/assessment/triggers/other.py",
        "cards/card/render.py",
        "cards/chart/medicines.py",
        "cards/plan/plan.py",
        "cards/plan/proposal.py",
        "cards/plan/words/facts.py",
        "cards/trace/course.py",
        "cards/trace/fact.py",
    }
)
# These write FHIR, or take a page's own JSON apart to write it; they decide nothing by it.
WRITERS = {
    "cards/card/validate.py": {"repeat"},  # our own suggestion, before it is sent
    "service/pages/bundle.py": {"coding"},  # a pasted record into prefetch
    "service/pages/draft.py": {"doseAndRate"},
    "service/replay/example/shape.py": {"doseAndRate"},
}


def touched(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in RAW:
            found.add(node.attr)
        # getattr(x, "coding") is the same by another door
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "getattr"
            and len(node.args) > 1
            and isinstance(node.args[1], ast.Constant)
            and node.args[1].value in RAW
        ):
            found.add(str(node.args[1].value))
        # and so are plain JSON's value["coding"] and value.get("coding")
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found |= RAW & {node.slice.value}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "pop", "setdefault")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found |= RAW & {node.args[0].value}
    return found


def modules() -> list[str]:
    found = [*ROOT.glob("cards/**/*.py"), *ROOT.glob("service/**/*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@pytest.mark.parametrize("path", modules())
def test_only_the_readers_open_what_a_record_says(path: str) -> None:
    found = touched((ROOT / path).read_text(encoding="utf-8"))
    if path in OWN_NAMES:
        found -= {"reference"}
    assert found <= READERS.get(path, set()) | WRITERS.get(path, set())


def test_the_exceptions_shrink() -> None:
    """An exception that is not needed any more is to be taken out."""
    own = {path: {"reference"} for path in OWN_NAMES}
    for path, allowed in {**READERS, **WRITERS, **own}.items():
        assert touched((ROOT / path).read_text(encoding="utf-8")) >= allowed, path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x.code.coding[0]", {"coding"}),
        ("timing.repeat", {"repeat"}),
        ('getattr(line, "doseAndRate")', {"doseAndRate"}),
        ("resource.subject.reference", {"reference"}),
        ("x.codings", set()),
        ('value["coding"]', {"coding"}),
        ('value.get("repeat", {})', {"repeat"}),
        ('{"coding": []}', set()),
    ],
)
def test_what_counts_as_opening(source: str, found: set[str]) -> None:
    assert touched(source) == found
