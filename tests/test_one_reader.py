"""One reader each: no module but the readers opens a concept, a reference, a timing or a dose.

Read as syntax: ``x.coding``, ``x.reference``, ``x.repeat``, ``x.doseAndRate``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RAW = frozenset({"coding", "reference", "repeat", "doseAndRate"})
READERS = {
    "cards/fhir/concept.py": {"coding"},
    "cards/fhir/version.py": {"coding"},
    "cards/fhir/resource.py": {"coding"},  # the shapes themselves
    "cards/evidence/place.py": {"reference"},
    "cards/evidence/whose.py": {"reference"},
    "cards/evidence/evidence.py": {"reference"},  # its quick path: Patient/<id>, Encounter/<id>
    "cards/orders/identity.py": {"reference"},
    "cards/orders/dosage.py": {"repeat", "doseAndRate"},
    "service/cdshooks/request.py": {"reference"},  # whose a draft is
    "service/gather/judgement.py": {"reference"},  # its quick path
    "service/gather/reference.py": {"reference"},  # what is to be fetched
}
# Shrinking: what stands here is to go to a reader (coordinator's list at the merge).
YET = {
    "cards/chart/chart.py": {"reference"},
    "cards/chart/conditions.py": {"reference"},
    "cards/chart/magnesium/judge.py": {"reference"},
    "cards/chart/medicines.py": {"reference"},
    "cards/evidence/known.py": {"repeat"},
    "service/replay/record.py": {"reference"},
    "service/replay/scan.py": {"reference"},
    "service/replay/walk.py": {"reference"},
}
# ``.reference`` of an order, an administration, a treatment: which resource it is, in our words.
OWN_NAMES = frozenset(
    {
        "cards/assessment/flags.py",
        "cards/assessment/stops.py",
        "cards/assessment/triggers/other.py",
        "cards/card/render.py",
        "cards/plan/plan.py",
        "cards/plan/proposal.py",
        "cards/trace/course.py",
        "cards/trace/fact.py",
    }
)


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
    return found


def modules() -> list[str]:
    found = [*ROOT.glob("cards/**/*.py"), *ROOT.glob("service/**/*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@pytest.mark.parametrize("path", modules())
def test_only_the_readers_open_what_a_record_says(path: str) -> None:
    found = touched((ROOT / path).read_text(encoding="utf-8"))
    if path in OWN_NAMES:
        found -= {"reference"}
    assert found <= READERS.get(path, set()) | YET.get(path, set())


def test_the_exceptions_shrink() -> None:
    """An exception that is not needed any more is to be taken out."""
    own = {path: {"reference"} for path in OWN_NAMES}
    for path, allowed in {**READERS, **YET, **own}.items():
        assert touched((ROOT / path).read_text(encoding="utf-8")) >= allowed, path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x.code.coding[0]", {"coding"}),
        ("timing.repeat", {"repeat"}),
        ('getattr(line, "doseAndRate")', {"doseAndRate"}),
        ("resource.subject.reference", {"reference"}),
        ("x.codings", set()),
    ],
)
def test_what_counts_as_opening(source: str, found: set[str]) -> None:
    assert touched(source) == found
