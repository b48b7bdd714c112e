"""People: who is in the example, and what ails them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 31
_GIVEN = "Alvo Bresa Corin Dasil Elmar Fenna Gorlo Hesper Ildo Jorun Kessa Lumo Mirel Nandor Odela"
_FAMILY = (
    "Abelhart Brunnik Castrell Dorvane Eskolin Farrowby Gandrel Holmquist Imbrey Jessen Korvath"
)


@dataclass(frozen=True, slots=True)
class Ailment:
    """A kind of patient. ``codes`` are (SNOMED CT, ICD-10-CM, words) on the problem list,
    ``drugs`` what they bring along (keys of ``course.DRUGS``), ``magnesium`` its middle in mg/dL,
    ``creatinine`` in mg/dL, ``losing`` mg/dL a day untreated, ``share`` of all patients."""

    name: str
    share: int
    magnesium: float
    creatinine: float
    losing: float
    codes: tuple[tuple[str, str, str], ...]
    drugs: tuple[str, ...]


_HYPERTENSION = ("38341003", "I10", "Hypertensive disorder")
_DIABETES = ("44054006", "E11.9", "Diabetes mellitus type 2")
AILMENTS = (
    Ailment("general", 36, 2.0, 0.9, 0.01, (_HYPERTENSION, _DIABETES), ("acetaminophen",)),
    Ailment(
        "heart", 22, 1.75, 1.2, 0.06,
        (("84114007", "I50.9", "Heart failure"), ("49436004", "I48.91", "Atrial fibrillation")),
        ("furosemide", "digoxin", "pantoprazole"),
    ),
    Ailment(
        "gut", 14, 1.5, 0.8, 0.12,
        (("236071009", "K52.9", "Chronic diarrhea"),),
        ("omeprazole", "ondansetron"),
    ),
    Ailment(
        "alcohol", 9, 1.4, 0.8, 0.05,
        (("66590003", "F10.20", "Alcohol dependence"),),
        ("thiamine", "pantoprazole"),
    ),
    Ailment(
        "cancer", 8, 1.5, 1.0, 0.10,
        (("363346000", "C80.1", "Malignant neoplastic disease"),),
        ("cisplatin", "ondansetron"),
    ),
    Ailment(
        "kidney", 11, 2.2, 3.4, -0.02,
        (("433146000", "N18.5", "Chronic kidney disease stage 5"), _HYPERTENSION),
        ("furosemide", "acetaminophen"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One patient and one stay; ``number`` names them in ids."""

    number: int
    given: str
    family: str
    gender: str
    birth: str
    age: int
    weight: float
    ailment: Ailment
    admitted: bool
    start: datetime
    end: datetime


def person(seed: int, number: int) -> Person:
    """The person of that number, the same whoever else is made."""
    draw = Random(f"{seed}/person/{number}")  # noqa: S311  # repeatable on purpose
    age = min(96, max(18, round(draw.gauss(66, 16))))
    admitted = draw.random() < 0.8
    start = FIRST + timedelta(minutes=draw.randrange((DAYS - 2) * 24 * 60))
    length = (
        timedelta(days=min(14.0, 1 + draw.expovariate(1 / 4))) if admitted else timedelta(hours=3)
    )
    return Person(
        number=number,
        given=draw.choice(_GIVEN.split()),
        family=draw.choice(_FAMILY.split()),
        gender=draw.choice(("female", "male")),
        birth=f"{FIRST.year - age - 1}-{draw.randrange(4, 13):02d}-{draw.randrange(1, 29):02d}",
        age=age,
        weight=max(42.0, round(draw.gauss(78, 16), 1)),
        ailment=draw.choices(AILMENTS, [a.share for a in AILMENTS])[0],
        admitted=admitted,
        start=start,
        end=min(start + length, FIRST + timedelta(days=DAYS)),
    )
