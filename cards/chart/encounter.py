"""Stay: the encounter a call is about: where the patient is, and since when."""

from __future__ import annotations

from msgspec import Struct

from cards import codes
from cards.evidence import Evidence
from cards.fhir import key_of, read_class
from cards.fhir.resource import EncounterClass, Reference, Resource

AMBULATORY = frozenset({"AMB", "VR", "HH"})
# What a class without a system may be; any code that the system itself holds is a class.
_CLASSES = AMBULATORY | {"IMP", "ACUTE", "NONAC", "EMER", "OBSENC", "SS", "PRENC", "FLD"}


class Stay(Struct, frozen=True, gc=False):
    """``setting`` is "inpatient" or "ambulatory" ("inpatient" when it is not ``known``);
    ``id`` the encounter's, ``began`` when it did, as it was written."""

    setting: str
    known: bool
    id: str | None
    began: str | None = None

    def holds(self, reference: Reference | None) -> bool:
        """Whether a resource says that it belongs to this encounter."""
        return self.id is not None and key_of(reference) == ("Encounter", self.id)


def read_stay(evidence: Evidence, encounter_id: str | None) -> Stay:
    """The Stay of the encounter in context, else of the only one that came."""
    found = [
        e for e in evidence.of_type("Encounter") if encounter_id is None or e.id == encounter_id
    ]
    encounter = found[0] if len(found) == 1 else None
    if encounter is None:
        return Stay("inpatient", False, encounter_id)
    began = encounter.period.start if encounter.period is not None else None
    class_ = _class(encounter) if encounter.status != "finished" else None
    setting = "ambulatory" if class_ in AMBULATORY else "inpatient"
    return Stay(setting, class_ is not None, encounter.id or encounter_id, began)


def _class(encounter: Resource) -> str | None:
    """The class as a code of v3-ActCode, wherever that stands; None when there is none: a class
    of a system we do not know says nothing (ruling 146)."""
    value = encounter.class_
    if isinstance(value, str):
        return _bare(value)
    if isinstance(value, EncounterClass) and value.code and value.system == codes.ACT_CODE:
        return value.code.strip().upper()  # as nearly all are
    bare = None
    for found in read_class(value):
        if found.system == codes.ACT_CODE and found.code:
            return found.code.upper()
        if not found.system:
            bare = bare or _bare(found.code)
    return bare


def _bare(code: str) -> str | None:
    code = code.strip().upper()
    return code if code in _CLASSES else None
