"""Judgement: whether what a search or read was answered with answers its need, whole.

One judgement for prefetch and for the pages that we fetch (ruling 144). An answer is whole when
nothing in it says that something went wrong or is missing:

| in it | it is |
|---|---|
| an OperationOutcome of severity error or fatal (R5: ``Bundle.issues`` too), or of none | a gap |
| one of severity warning or information ("no results"), beside entries or without any | read |
| an entry without a resource; a count of results, and none of them | a gap |
| only other types than the need's, ``{}``; what another version of FHIR calls it | a gap |
| one of the need's type that is of another patient: nobody looked for ours alone | a gap |

A link to a next page is for the caller: prefetch cannot follow it (a gap), a fetch does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cards.evidence import Need, Whose
from cards.evidence.whose import ANOTHERS
from cards.fhir.resource import Entry, Issue, Resource, many

ERROR = "the record answered with an error"
ANOTHER = "the record answered with another patient's data"
HOLLOW = "the record's answer has an entry without content"
UNLISTED = "the record counts results and lists none"
MORE = "more pages exist than were sent"

_GRAVE = frozenset({"error", "fatal", ""})
# What a search may bring along (_include) without being the answer itself.
_INCLUDED = {
    "MedicationRequest": frozenset({"Medication"}),
    "MedicationAdministration": frozenset({"Medication", "MedicationRequest"}),
}
# What other versions of FHIR call it: its elements stand elsewhere, and are not read.
_FORMERLY = {
    "MedicationRequest": frozenset({"MedicationOrder", "MedicationPrescription"}),
    "ServiceRequest": frozenset({"ProcedureRequest", "DiagnosticOrder", "ReferralRequest"}),
    "AllergyIntolerance": frozenset({"AdverseReaction"}),
}


def fault_of(need: Need, value: Resource, entries: Iterable[Entry]) -> str | None:
    """Why a value is no whole answer to a need, in words; None when it is one.

    ``entries`` are the resources in it. Whose they are is judged by ``anothers``.
    """
    if _says_error(value):
        return ERROR
    found = [e.resource for e in entries if e.resource is not None]
    if value.resourceType == "Bundle" or value.entry is not None:
        if any(_is_hollow(entry) for entry in _every(value)):
            return HOLLOW
        if not found and _counts(value):
            return UNLISTED
    return _wrong_type(need, {r.resourceType or "?" for r in found})


def anothers(need: Need, entries: Iterable[Entry], whose: Whose) -> str | None:
    """Why an answer is not about our patient alone, in words: what was not sent is unknown then,
    and what was sent may be what should have been ours (ruling 145)."""
    resources = (e.resource for e in entries)
    others = (r for r in resources if r and r.resourceType == need.type and _is_anothers(r, whose))
    return ANOTHER if next(others, None) is not None else None


def next_page(value: Resource) -> str | None:
    """The link to the next page, "" when there is one that leads nowhere; None without one."""
    return next((link.url or "" for link in many(value.link) if link.relation == "next"), None)


def _is_anothers(resource: Resource, whose: Whose) -> bool:
    if resource.resourceType == "Patient":
        return resource.id is not None and not whose.is_linked(resource.id)
    who = resource.subject or resource.patient
    return who is not None and whose.why_not(who) == ANOTHERS


def _says_error(value: Resource) -> bool:
    if value.resourceType == "OperationOutcome":
        return True  # whatever it says, it stands where an answer belongs
    outcomes = [e.resource for e in _every(value) if e.resource is not None]
    found = [r for r in outcomes if r.resourceType == "OperationOutcome"]
    if value.issues is not None:
        found.append(value.issues)
    return any(
        (issue.severity or "").strip().lower() in _GRAVE
        for outcome in found
        for issue in many(outcome.issue) or [Issue()]
    )


def _every(value: Resource) -> Iterator[Entry]:
    """Every entry, those of Bundles in the Bundle (a batch answer) too."""
    for entry in value.entry or ():
        yield entry
        if entry.resource is not None and entry.resource.entry is not None:
            yield from _every(entry.resource)


def _is_hollow(entry: Entry) -> bool:
    resource = entry.resource
    return resource is None or (
        resource.resourceType is None and resource.id is None and resource.entry is None
    )


def _counts(value: Resource) -> bool:
    return bytes(value.total) not in (b"", b"null", b"0")


def _wrong_type(need: Need, types: set[str]) -> str | None:
    former = types & _FORMERLY.get(need.type, frozenset())
    if former:
        return f"the record speaks another version of FHIR ({min(former)})"
    types = types - _INCLUDED.get(need.type, frozenset())
    if not types or need.type in types:
        return None
    return f"what was sent is not {_a(need.type)}"


def _a(type_: str) -> str:
    return f"{'an' if type_[0] in 'AEIOU' else 'a'} {type_}"
