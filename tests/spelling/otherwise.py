"""Otherwise: the same meaning, spelt as other records spell it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from tests.spelling.orders import ORDERS_SAME
from tests.spelling.walk import SERVER, Change, Json, drafts, everywhere, of_record

_LOCAL = {"system": "urn:example:house", "code": "x-17"}
_OIDS = {
    "http://loinc.org": "urn:oid:2.16.840.1.113883.6.1",
    "http://snomed.info/sct": "2.16.840.1.113883.6.96",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "urn:oid:2.16.840.1.113883.6.88",
    "http://hl7.org/fhir/sid/icd-10-cm": "urn:oid:2.16.840.1.113883.6.90",
}
_LABELS = {
    "http://loinc.org": "LN",
    "http://snomed.info/sct": "SNOMED CT",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
}


def _systems(spell: Callable[[str], str]) -> Change:
    def change(found: Json) -> None:
        if isinstance(found.get("system"), str) and "code" in found:
            found["system"] = spell(found["system"])

    return everywhere(change)


def _codings(order: Callable[[list[Any]], list[Any]]) -> Change:
    # A status keeps its codings: which of them is bound is another question (ruling 139).
    def change(found: Json) -> None:
        for name in ("code", "medicationCodeableConcept", "valueCodeableConcept"):
            concept = found.get(name)
            if isinstance(concept, dict) and isinstance(concept.get("coding"), list):
                concept["coding"] = order(concept["coding"])

    return everywhere(change)


def _references(spell: Callable[[str], str]) -> Change:
    def change(found: Json) -> None:
        text = found.get("reference")
        if isinstance(text, str) and re.fullmatch(r"[A-Z][A-Za-z]+/[^/]+", text):
            found["reference"] = spell(text)

    # A draft is read by itself, its references with the identity of its drug.
    return everywhere(change, with_drafts=False)


def _identifier_subject(request: Json) -> Json:
    """The subject of every resource by identifier alone."""
    request = copy.deepcopy(request)
    number = {"system": "urn:example:mrn", "value": "4711"}
    if request["prefetch"].get("patient"):
        request["prefetch"]["patient"]["identifier"] = [number]
        for _, entry in of_record(request):
            if "subject" in entry["resource"]:
                reference = entry["resource"]["subject"].get("reference")
                if reference == "Patient/p1":
                    entry["resource"]["subject"] = {"identifier": number}
    return request


def _merged(request: Json) -> Json:
    """A chart merged into this one: its resources still name the old record."""
    request = copy.deepcopy(request)
    patient = request["prefetch"].get("patient")
    if patient:
        patient["link"] = [{"other": {"reference": "Patient/old9"}, "type": "replaces"}]
        for _, entry in of_record(request):
            subject = entry["resource"].get("subject") or {}
            if subject.get("reference") == "Patient/p1":
                subject["reference"] = "Patient/old9"
    return request


def _urn_encounter(request: Json) -> Json:
    """The encounter stands under a urn, and what belongs to it says so."""
    request = copy.deepcopy(request)
    encounter = request["prefetch"].get("encounter")
    if encounter and encounter.get("resourceType") == "Encounter":
        urn, name = "urn:uuid:7c3", f"Encounter/{encounter['id']}"
        for _, entry in of_record(request):
            where = entry["resource"].get("encounter") or {}
            if where.get("reference") == name:
                where["reference"] = urn
        entries = [{"fullUrl": urn, "resource": encounter}]
        request["prefetch"]["encounter"] = {"resourceType": "Bundle", "entry": entries}
    return request


def _medications(place: Callable[[Json, Json, list[Json], int], None]) -> Change:
    """Each order's own CodeableConcept as that of a Medication it refers to."""

    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        for key, bundle in request["prefetch"].items():
            if key in ("medications", "administrations") and bundle and bundle.get("entry"):
                more: list[Json] = []
                for number, entry in enumerate(bundle["entry"]):
                    concept = entry["resource"].pop("medicationCodeableConcept", None)
                    if concept is not None:
                        medication = {"resourceType": "Medication", "code": concept}
                        place(entry["resource"], medication, more, number)
                bundle["entry"] += more
        return request

    return changed


def _contained(order: Json, medication: Json, more: list[Json], number: int) -> None:
    order["contained"] = [{"resourceType": "Practitioner", "code": 3}, medication | {"id": "m"}]
    order["medicationReference"] = {"reference": "#m"}


def _by_urn(order: Json, medication: Json, more: list[Json], number: int) -> None:
    urn = f"urn:uuid:{order['resourceType']}-{number}".lower()
    more.append({"fullUrl": urn, "resource": medication})
    order["medicationReference"] = {"reference": urn}


def _by_full_url(order: Json, medication: Json, more: list[Json], number: int) -> None:
    id_ = f"{order['resourceType']}-{number}"
    url = f"{SERVER}/Medication/{id_}"
    more.append({"fullUrl": url, "resource": medication | {"id": id_}})
    order["medicationReference"] = {"reference": f"{url}/_history/3"}


def _by_identifier(order: Json, medication: Json, more: list[Json], number: int) -> None:
    id_ = f"{order['resourceType']}-{number}"
    number_of = {"system": "urn:example:pharmacy", "value": id_}
    more.append({"resource": medication | {"id": id_, "identifier": number_of}})
    order["medicationReference"] = {"identifier": number_of}


def _as_r5(order: Json, medication: Json, more: list[Json], number: int) -> None:
    order["medication"] = {"concept": medication["code"]}


def _lists(found: Json) -> None:
    """One in a list where one belongs, and the reverse."""
    for name in ("status", "subject", "valueQuantity", "effectiveDateTime", "authoredOn"):
        if name in found and isinstance(found.get("resourceType"), str):
            found[name] = [found[name]]
    for name in ("coding", "dosageInstruction", "doseAndRate", "note", "referenceRange"):
        if isinstance(found.get(name), list) and len(found[name]) == 1:
            found[name] = found[name][0]


def _odd_beside(request: Json) -> Json:
    """Broken elements that nobody reads, in every resource."""
    request = copy.deepcopy(request)
    for _, entry in of_record(request):
        entry["resource"] |= {"extension": 5, "meta": [], "performer": "x", "text": {"div": 3}}
        if entry["resource"]["resourceType"] not in ("Observation", "Specimen"):
            entry["resource"]["note"] = 7
    return request


def _with_outcomes(request: Json) -> Json:
    """Warnings and hints among the answers."""
    request = copy.deepcopy(request)
    for value in request["prefetch"].values():
        if value and value.get("resourceType") == "Bundle":
            issue = [{"severity": "warning", "code": "not-found"}, {"severity": "information"}]
            outcome = {"resourceType": "OperationOutcome", "issue": issue}
            value["entry"] = [*(value.get("entry") or ()), {"resource": outcome}]
            value["issues"] = outcome
    return request


def _wrapped(request: Json) -> Json:
    """CDS Hooks 1.0 prefetch."""
    request = copy.deepcopy(request)
    for key, value in request["prefetch"].items():
        if value and value.get("resourceType") != "OperationOutcome":
            request["prefetch"][key] = {"response": {"status": "200 OK"}, "resource": value}
    return request


def _cut_emoji(request: Json) -> Json:
    request = copy.deepcopy(request)
    if request["prefetch"].get("patient"):
        request["prefetch"]["patient"]["name"] = [{"family": "Sam \ud83d", "given": ["\udc00"]}]
    return request


def _other_places(request: Json) -> Json:
    """Elements where another version of FHIR has them."""
    request = copy.deepcopy(request)
    for _, entry in of_record(request):
        resource = entry["resource"]
        type_ = resource["resourceType"]
        if type_ != "Patient" and "encounter" in resource:
            resource["context"] = resource.pop("encounter")
        if type_ == "Procedure":
            for name in ("DateTime", "Period"):
                if f"performed{name}" in resource:
                    resource[f"occurrence{name}"] = resource.pop(f"performed{name}")
        if type_ == "Condition" and "recordedDate" in resource:
            resource["assertedDate"] = resource.pop("recordedDate")
        if type_ == "Encounter" and "period" in resource:
            resource["actualPeriod"] = resource.pop("period")
        if type_ == "ServiceRequest" and "code" in resource:
            resource["code"] = {"concept": resource["code"]}
    return request


def _drafts_in_lists(request: Json) -> Json:
    request = copy.deepcopy(request)
    for entry in drafts(request):
        entry["resource"] |= {"extension": 5, "performer": [[]], "intent": ["order"]}
    return request


SAME: dict[str, Change] = {
    "systems with https": _systems(lambda s: s.replace("http://", "https://")),
    "systems with a slash": _systems(lambda s: f"{s}/"),
    "systems with a version": _systems(lambda s: f"{s}|2.81"),
    "systems as object identifiers": _systems(lambda s: _OIDS.get(s, s)),
    "systems as labels": _systems(lambda s: _LABELS.get(s, s)),
    "systems padded": _systems(lambda s: f" {s} "),
    "a coding of the house first": _codings(lambda found: [_LOCAL, *found]),
    "codings turned round": _codings(lambda found: [*found, _LOCAL][::-1]),
    "absolute references": _references(lambda r: f"{SERVER}/{r}"),
    "versioned references": _references(lambda r: f"{r}/_history/4"),
    "references padded": _references(lambda r: f" {r} "),
    "subject as urn:uuid": _references(
        lambda r: r.replace("Patient/", "urn:uuid:") if r.startswith("Patient/p1") else r
    ),
    "subject by identifier": _identifier_subject,
    "a merged chart": _merged,
    "encounter by urn": _urn_encounter,
    "medications contained": _medications(_contained),
    "medications by urn": _medications(_by_urn),
    "medications by fullUrl": _medications(_by_full_url),
    "medications by identifier": _medications(_by_identifier),
    "medications as in R5": _medications(_as_r5),
    "lists and single ones": everywhere(_lists, with_drafts=False),
    "broken beside": _odd_beside,
    "broken beside in drafts": _drafts_in_lists,
    "warnings among the answers": _with_outcomes,
    "wrapped": _wrapped,
    "a name cut in two": _cut_emoji,
    "places of other versions": _other_places,
    **ORDERS_SAME,
}
