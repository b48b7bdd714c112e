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
    if value.resourceType == "OperationOutcome":
        return ERROR  # whatever it says, it stands where an answer belongs
    types = {e.resource.resourceType for e in entries if e.resource is not None}
    if value.resourceType == "Bundle" or value.entry is not None:
        hollow = False
        for resource in _every(value):
            type_ = None if resource is None else resource.resourceType
            if type_ == "OperationOutcome" and _is_grave(resource):
                return ERROR
            hollow = hollow or (type_ is None and (resource is None or _is_empty(resource)))
        if value.issues is not None and _is_grave(value.issues):
            return ERROR
        if hollow:
            return HOLLOW
        if not types and bytes(value.total) not in (b"", b"null", b"0"):
            return UNLISTED
    return _wrong_type(need, {type_ or "?" for type_ in types})


def anothers(need: Need, entries: Iterable[Entry], whose: Whose) -> str | None:
    """Why an answer is not about our patient alone, in words: what was not sent is unknown then,
    and what was sent may be what should have been ours (ruling 145)."""
    for entry in entries:
        resource = entry.resource
        if resource is None or resource.resourceType != need.type:
            continue
        if need.type == "Patient":
            if resource.id is not None and not whose.is_linked(resource.id):
                return ANOTHER
            continue
        who = resource.subject or resource.patient
        if who is not None and who.reference != whose.plain and whose.why_not(who) == ANOTHERS:
            return ANOTHER
    return None


def next_page(value: Resource) -> str | None:
    """The link to the next page, "" when there is one that leads nowhere; None without one."""
    return next((link.url or "" for link in many(value.link) if link.relation == "next"), None)


def _every(value: Resource) -> Iterator[Resource | None]:
    """What every entry holds, those of Bundles in the Bundle (a batch answer) too."""
    for entry in value.entry or ():
        resource = entry.resource
        yield resource
        if resource is not None and resource.entry is not None:
            yield from _every(resource)


def _is_grave(outcome: Resource | None) -> bool:
    """Whether an outcome says that something went wrong; one that says nothing does."""
    issues = many(outcome.issue) if outcome is not None else []
    return any((i.severity or "").strip().lower() in _GRAVE for i in issues or [Issue()])


def _is_empty(resource: Resource) -> bool:
    return resource.id is None and resource.entry is None and resource.code is None


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
