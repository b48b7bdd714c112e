"""Rule 15 of the house: whatever a record can make long costs a bounded, linear time.

Each row is a reader of record text with the worst text of 100 kB for it; a look costs at most
LIMIT_S. Keys of the caches stay short. A new pattern or look-back gets a row here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from msgspec import Raw

from cards import codes
from cards.chart import suspected
from cards.chart.conditions import read_conditions
from cards.chart.encounter import Stay
from cards.chart.labs import unread_lab
from cards.chart.magnesium.candidate import newest_first
from cards.chart.magnesium.measure import measure
from cards.evidence import collect
from cards.evidence.results import is_named_magnesium
from cards.fhir import not_blood, read_handling, read_reference
from cards.fhir.clause import denied
from cards.fhir.resource import (
    Annotation,
    CodeableConcept,
    Coding,
    RawQuantity,
    ReferenceRange,
    Resource,
)
from cards.protocol import shipped
from cards.units.quantity import lab_value

SIZE = 100_000
LIMIT_S = 0.020
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def full(piece: str) -> str:
    """The piece again and again, 100 kB of it."""
    return (piece * (SIZE // len(piece) + 1))[:SIZE]


PIECES = [
    "hemolysis ",
    "no hemolysis ",
    "hemolysis none ",
    "hemolysis: 0 (none), ",
    "hemolysishemolysis",
    "not " * 40 + "hemolysis ",
    "contaminated ",
    "no dilution ",
    "verified by dilution ",
    "1:2 dilution ",
    "iv arm ",
    "above the ",
    "heart block ",
    "no heart block ",
    "first degree av block ",
    "atrioventrikul" * 3,
    "infarto de ",
    "myokard",
    "non-st ",
    "end stage ",
    "family history of myasthenia ",
    "Magn",
    "Mg2+",
    "urine ",
    "red blood ",
    " ",
    "\t\n",
    "0",
    "0,",
    "(((",
    "ä",
    "e\u0301",
    "a" * 300 + " ",
]


def note(text: str) -> object:
    return read_handling(Resource(note=[Annotation(text)]), lambda target: None)


def typed_condition(text: str) -> object:
    condition = Resource(resourceType="Condition", id="c", code=CodeableConcept(text=text))
    evidence = collect("p1", [condition])
    return read_conditions(evidence, NOW, Stay("inpatient", True, "e1"), STANDARD)


def named_result(text: str) -> object:
    return is_named_magnesium(
        Resource(code=CodeableConcept(coding=[Coding(code=text, display=text)], text=text))
    )


def ranged(text: str) -> object:
    range_ = ReferenceRange(
        low=RawQuantity(value=Raw(b"1.6")), text=text, type=CodeableConcept(text=text)
    )
    result = Resource(
        status="final",
        valueQuantity=RawQuantity(value=Raw(b"1.1"), unit="mg/dL"),
        referenceRange=[range_],
    )
    return measure(newest_first([result])[0], STANDARD)


def unit(text: str) -> object:
    quantity = RawQuantity(value=Raw(b"1.1"), unit=text, code=text, system=text)
    return lab_value("creatinine", quantity), unread_lab(Resource(valueQuantity=quantity))


STANDARD = shipped("standard")
READERS: list[Callable[[str], object]] = [
    note,
    typed_condition,
    named_result,
    ranged,
    unit,
    not_blood,
    read_reference,
    codes.system_of,
    lambda text: codes.condition_concepts(text, "x"),
    lambda text: codes.specimen_kind(text, text),
    lambda text: codes.named_lab("19123-9", text),
    lambda text: denied(text, len(text) // 2, len(text) // 2 + 9),
    lambda text: unread_lab(Resource(valueString=text)),
]
NAMES = """note condition named-result range unit not-blood reference system condition-code
    specimen-kind named-lab denied unread-lab""".split()


def _rows() -> Iterator[object]:
    for name, reader in zip(NAMES, READERS, strict=True):
        for piece in PIECES:
            yield pytest.param(reader, full(piece), id=f"{name}-{piece.strip()[:16]!r}")


@pytest.mark.real_clock
@pytest.mark.parametrize(("reader", "text"), list(_rows()))
def test_100_kb_of_the_worst_text(reader: Callable[[str], object], text: str) -> None:
    best = min(_seconds(reader, text) for _ in range(3))
    assert best <= LIMIT_S, f"{best * 1000:.0f} ms"


def _seconds(reader: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    reader(text)
    return time.thread_time() - start


def test_no_long_text_becomes_the_key_of_a_cache() -> None:
    sizes = [suspected._remembered.cache_info().currsize, read_reference_size()]
    for number in range(20):
        long = f"{number}" + "x" * 300
        typed_condition(long)
        read_reference(long)
        unit(long)
    assert [suspected._remembered.cache_info().currsize, read_reference_size()] == sizes


def read_reference_size() -> int:
    from cards.fhir import reference

    return reference._read.cache_info().currsize
