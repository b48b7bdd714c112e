"""Need: one thing the logic reads of a record.

``NEEDS`` is the one list from which the prefetch templates, the fallback searches and the
replay filter derive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from cards import codes


class Need(Struct, frozen=True, gc=False):
    """One thing the logic reads.

    ``labs`` are the lab concepts of an Observation need; ``query`` is the rest of the search;
    ``single`` marks an instance read.
    """

    name: str
    type: str
    query: str = ""
    labs: tuple[str, ...] = ()
    single: bool = False

    @property
    def title(self) -> str:
        """The need as people call it."""
        return _TITLES.get(self.name, self.name)

    def template(self, site_codes: Sequence[tuple[str, str]] = ()) -> str:
        """The prefetch template; ``site_codes`` are (system, code) a site maps to this need."""
        if self.single:
            token = "encounterId" if self.type == "Encounter" else "patientId"
            return f"{self.type}/{{{{context.{token}}}}}"
        query = f"{self.type}?patient={{{{context.patientId}}}}"
        if self.labs:
            loinc = [f"{codes.LOINC}|{c}" for lab in self.labs for c in codes.lab_codes(lab)]
            query += "&code=" + ",".join([*loinc, *(f"{s}|{c}" for s, c in site_codes)])
        return query + self.query


def _labs(need: str, count: int, *labs: str) -> Need:
    return Need(need, "Observation", f"&_sort=-date&_count={count}", labs)


NEEDS: tuple[Need, ...] = (
    Need("patient", "Patient", single=True),
    _labs("magnesium", 20, "magnesium", "magnesium-whole-blood"),
    _labs("potassium", 5, "potassium"),
    _labs("calcium", 10, "calcium", "calcium-corrected", "calcium-ionized"),
    _labs("albumin", 3, "albumin"),
    _labs("creatinine", 20, "creatinine"),
    _labs("egfr", 5, "egfr"),
    _labs("weight", 5, "weight"),
    _labs("qtc", 10, "qtc", "qt-uncorrected", "qrs-duration"),
    Need("conditions", "Condition"),
    Need("medications", "MedicationRequest", "&status=active,completed&_sort=-authoredon"),
    Need("administrations", "MedicationAdministration", "&_sort=-effective-time&_count=100"),
    Need("encounter", "Encounter", single=True),
    Need("procedures", "Procedure", "&_sort=-date&_count=50"),
    Need("allergies", "AllergyIntolerance"),
    Need("laborders", "ServiceRequest", "&status=active"),
    _labs("platelets", 3, "platelets"),
    _labs("urine", 6, "urine-magnesium", "urine-creatinine"),
    _labs("pregnancy", 2, "pregnancy-status"),
)
NEED: Mapping[str, Need] = MappingProxyType({need.name: need for need in NEEDS})
NEED_OF_LAB: Mapping[str, str] = MappingProxyType(
    {lab: need.name for need in NEEDS for lab in need.labs}
)
NEED_OF_TYPE: Mapping[str, str] = MappingProxyType(
    {need.type: need.name for need in NEEDS if not need.labs}
)
_TITLES = {
    "egfr": "eGFR",
    "qtc": "QTc",
    "laborders": "laboratory orders",
    "medications": "medication orders",
    "pregnancy": "pregnancy status",
    "urine": "urine magnesium and creatinine",
}


def title_of(need: str) -> str:
    """The title of a need by its name; what is none stays as it is."""
    return NEED[need].title if need in NEED else need
