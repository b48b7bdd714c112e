"""The CDS Hooks request a row describes: the default patient, changed clause by clause.

Clauses stand between ``|``; a word nobody knows is an error. ``SPAN`` is ``24 h 1 min``.

=============================================  ===============================================
``Mg 1.1 mg/dL[, part]…[; next result]…``      magnesium 19123-9; also ``LOINC 2601-3 <0.5 mmol/L``,
                                               ``"TEXT"``, ``NaN``, ``no value``, ``(no unit)``;
                                               parts in ``results.py``: a status, ``collected SPAN
                                               ago`` or ``on DATE``, ``no time``, ``period ending``,
                                               ``issued``, ``reference 1.6-2.6 mg/dL``, ``>=1.6``,
                                               ``code``, ``unit``, ``note "…"``, ``haemolysed``, …
``k|ca|albumin|creat|egfr|weight|qtc|``        the same words for the other needs, replacing the
``platelets|urine VALUE…`` or ``None``         default; ``None`` is an empty Bundle
``hours N``, ``ref (low, high, 'unit')``       change the magnesium before them
``age|birthDate|sex VALUE``                    the Patient; ``None`` leaves it out
``deceased true|false|DATE``                   and whether it died
``ambulatory``, ``encounter CODE``             the class; ``encounter none``, ``finished``,
                                               ``began SPAN ago``
``condition: name (modifier, …), …``           ``terms.CONDITIONS``, ``icd X``, ``sct X``
``active|completed|on-hold|stopped: order, …`` orders in ``orders.py``
``given: order, started SPAN ago, ended …``    administrations, ``;`` between them
``draft: order, …``, ``selections […]``        ``no draftOrders``, ``selections none``
``lab active|lab draft: LOINC``                a ServiceRequest on file, in the session
``procedure: name (performed SPAN ago)``       dialysis, ``(running)``; ``allergy: drug`` an
intolerance, ``hypersensitivity: drug`` an allergy
``prefetch keys absent, no FHIR server: …``    not obtained; ``prefetch KEY = null|OperationOutcome|
                                               empty``, ``prefetch KEY has a next page``
=============================================  ===============================================
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from .orders import administration, medication_request
from .results import KINDS, Kind, coded_unit, results
from .spans import NOW, SPAN, ago, split
from .terms import CONDITIONS, ICD10, LOINC, PROCEDURES, SNOMED

__all__ = ["NOW", "build_request"]

Resource = dict[str, Any]
KEYS = [
    "patient",
    "magnesium",
    "potassium",
    "calcium",
    "albumin",
    "creatinine",
    "egfr",
    "weight",
    "qtc",
    "conditions",
    "medications",
    "administrations",
    "encounter",
    "procedures",
    "allergies",
    "platelets",
    "urine",
]
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


@dataclass
class Scene:
    """What the clauses of one row have said so far."""

    patient: Resource
    encounter: Resource | None
    bundles: dict[str, list[Resource]] = field(default_factory=lambda: {key: [] for key in KEYS})
    prefetch: dict[str, Any] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    drafts: list[Resource] | None = field(default_factory=list)
    drafted_medications: list[Resource] = field(default_factory=list)
    more_pages: set[str] = field(default_factory=set)
    selections: list[str] | None = None
    no_selections: bool = False
    fhir_server: str | None = None


def build_request(hook: str, inputs: str) -> Resource:
    """The whole request of one row, as JSON."""
    scene = Scene(patient=_patient(), encounter=_encounter("IMP"))
    for kind in KINDS.values():
        if kind.default is not None:
            scene.bundles[kind.key] = results(kind, kind.default, kind.key)
    for clause in split(inputs, "|"):
        _apply(scene, clause)
    return _request(scene, hook)


def _patient() -> Resource:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Sample", "given": ["Sam"]}],
        "gender": "male",
        "birthDate": "1966-01-15",
    }


def _encounter(code: str, status: str = "in-progress") -> Resource:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": status,
        "class": {"system": ACT, "code": code},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": ago("48 h")},
    }


def _apply(scene: Scene, clause: str) -> None:
    """One clause of the inputs."""
    given = re.match(r"^(.+ given, .+)$", clause)
    absent = re.match(r"^prefetch keys absent, no FHIR server: (.+)$", clause)
    stands = re.match(r"^prefetch (\w+) = (OperationOutcome|null|empty)$", clause)
    listed = re.match(r"^([a-z -]+): (.+)$", clause)
    more = re.match(r"^prefetch (\w+) has a next page$", clause)
    word, _, rest = clause.partition(" ")
    if absent:
        scene.absent |= set(split(absent[1], ","))
    elif more:
        scene.more_pages.add(more[1])
    elif stands:
        scene.prefetch[stands[1]] = _stand_in(stands[2])
    elif given:
        _list(scene, "given", given[1])
    elif listed:
        _list(scene, listed[1], listed[2])
    elif word == "LOINC":
        scene.bundles["magnesium"] += results(KINDS["Mg"], clause, "magnesium")
    elif word in KINDS:
        _measure(scene, KINDS[word], rest)
    elif word in ("hours", "ref"):
        _amend_magnesium(scene, word, rest)
    else:
        _setting(scene, word, rest)


def _stand_in(name: str) -> Any:
    if name == "OperationOutcome":
        issue = {"severity": "error", "code": "exception", "diagnostics": "upstream failed"}
        return {"resourceType": "OperationOutcome", "issue": [issue]}
    return None if name == "null" else _bundle([])


def _measure(scene: Scene, kind: Kind, text: str) -> None:
    found = [] if text == "None" else results(kind, text, kind.key)
    if kind.key == "magnesium":
        found = scene.bundles["magnesium"] + found
    scene.bundles[kind.key] = found


def _amend_magnesium(scene: Scene, word: str, rest: str) -> None:
    resource = scene.bundles["magnesium"][-1]
    if word == "hours":
        resource["effectiveDateTime"] = ago(f"{rest} h")
        return
    low, high, unit = ast.literal_eval(rest)
    limits = {
        "low": {"value": low, **coded_unit(unit)},
        "high": {"value": high, **coded_unit(unit)},
    }
    resource["referenceRange"] = [limits]


def _list(scene: Scene, name: str, text: str) -> None:
    """A clause that adds resources: ``condition: …``, ``active: …``, ``draft: …``."""
    items = split(text, ";" if name in ("given", "lab active", "lab draft") else ",")
    for item in items:
        if name == "condition":
            scene.bundles["conditions"].append(_condition(item, len(scene.bundles["conditions"])))
        elif name == "given":
            ident = f"given-{len(scene.bundles['administrations'])}"
            scene.bundles["administrations"].append(administration(item, ident))
        elif name == "draft":
            if scene.drafts is None:
                raise ValueError("a draft after 'no draftOrders'")
            ident = f"draft-{len(scene.drafts)}"
            scene.drafts.append(_with_medication(scene, medication_request(item, ident, "draft")))
        elif name in ("active", "completed", "on-hold", "stopped", "cancelled", "entered-in-error"):
            ident = f"order-{len(scene.bundles['medications'])}"
            order = _with_medication(scene, medication_request(item, ident, name))
            scene.bundles["medications"].append(order)
        elif name == "procedure":
            scene.bundles["procedures"].append(_procedure(item, len(scene.bundles["procedures"])))
        elif name in ("allergy", "hypersensitivity"):
            found = scene.bundles["allergies"]
            kind = "intolerance" if name == "allergy" else "allergy"
            found.append(_allergy(item, len(found), kind))
        elif name == "lab active":
            scene.bundles["procedures"].append(_lab_order(item, "lab-0", "active"))
        elif name == "lab draft" and scene.drafts is not None:
            scene.drafts.append(_lab_order(item, "lab-draft-0", "draft"))
        else:
            raise ValueError(f"unknown clause {name!r}")


def _with_medication(scene: Scene, order: Resource) -> Resource:
    """Place the Medication an order refers to where its words said."""
    place, medication = order.pop("_medication", (None, None))
    if place == "referenced":
        scene.bundles["medications"].append(medication)
    elif place == "drafted":
        scene.drafted_medications.append(medication)
    return order


def _setting(scene: Scene, word: str, rest: str) -> None:
    if word == "ambulatory":
        scene.encounter = _encounter("AMB")
    elif word == "encounter" and rest == "none":
        scene.encounter = None
    elif word == "encounter" and rest == "finished":
        scene.encounter = _encounter("IMP", "finished")
    elif word == "encounter" and rest.startswith("began "):
        encounter = scene.encounter or _encounter("IMP")
        encounter["period"]["start"] = _moment(rest.removeprefix("began "))
    elif word == "encounter":
        scene.encounter = _encounter(rest)
    elif word == "age":
        scene.patient["birthDate"] = f"{NOW.year - int(rest)}-01-15"
    elif word == "deceased":
        kind = "Boolean" if rest in ("true", "false") else "DateTime"
        scene.patient[f"deceased{kind}"] = rest == "true" if kind == "Boolean" else rest
    elif word in ("sex", "birthDate"):
        key = "gender" if word == "sex" else word
        scene.patient.pop(key, None)
        if rest != "None":
            scene.patient[key] = rest
    elif word == "selections":
        scene.no_selections = rest == "none"
        scene.selections = None if rest == "none" else ast.literal_eval(rest)
    elif word == "no" and rest == "draftOrders":
        scene.drafts = None
    elif word == "fhirServer":
        scene.fhir_server = rest
    else:
        raise ValueError(f"unknown clause {word!r} {rest!r}")


def _concept(name: str, known: dict[str, tuple[str, str]]) -> Resource:
    if name.startswith(("icd ", "sct ")):
        scheme, code = name.split()
        system = ICD10 if scheme == "icd" else SNOMED
    else:
        system, code = known[name]
    return {"coding": [{"system": system, "code": code}]}


def _named(text: str) -> tuple[str, list[str]]:
    match = re.fullmatch(r"([\w. ]+?)(?: \((.*)\))?", text)
    if not match:
        raise ValueError(f"not a named item: {text!r}")
    return match[1], split(match[2] or "", ",")


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _condition(text: str, index: int) -> Resource:
    name, modifiers = _named(text)
    condition: Resource = {
        "resourceType": "Condition",
        "id": f"condition-{index}",
        "clinicalStatus": _status(CLINICAL, "active"),
        "verificationStatus": _status(VERIFICATION, "confirmed"),
        "code": _concept(name, CONDITIONS),
        "subject": {"reference": "Patient/p1"},
        "recordedDate": ago("2 h"),
    }
    for modifier in modifiers:
        _modify_condition(condition, modifier)
    return condition


def _moment(text: str) -> str:
    """``30 h ago`` as a dateTime; a dateTime or a date as it stands."""
    length = re.fullmatch(rf"({SPAN}) ago", text)
    return ago(length[1]) if length else text


def _modify_condition(condition: Resource, modifier: str) -> None:
    word, _, rest = modifier.partition(" ")
    when = _moment(rest)
    if word == "recorded":
        condition["recordedDate"] = when
    elif word == "onset":
        condition["onsetDateTime"] = when
    elif word == "abated":
        condition["abatementDateTime"] = when
    elif modifier == "no time":
        condition.pop("recordedDate")
    elif word == "status":
        condition["clinicalStatus"] = _status(CLINICAL, rest)
    elif modifier == "no status":
        condition.pop("clinicalStatus")
    elif word == "verification":
        condition["verificationStatus"] = _status(VERIFICATION, rest)
    elif modifier == "this encounter":
        condition["encounter"] = {"reference": "Encounter/e1"}
    elif modifier == "another encounter":
        condition["encounter"] = {"reference": "Encounter/e0"}
    elif modifier == "of another patient":
        condition["subject"] = {"reference": "Patient/p2"}
    else:
        raise ValueError(f"unknown word of a condition: {modifier!r}")


def _procedure(text: str, index: int) -> Resource:
    name, modifiers = _named(text)
    performed = re.fullmatch(rf"performed ({SPAN}) ago", modifiers[0]) if modifiers else None
    running = modifiers == ["running"]
    return {
        "resourceType": "Procedure",
        "id": f"procedure-{index}",
        "status": "in-progress" if running else "completed",
        "code": _concept(name, PROCEDURES),
        "subject": {"reference": "Patient/p1"},
        "performedDateTime": ago(performed[1] if performed else "24 h"),
    }


def _allergy(text: str, index: int, kind: str) -> Resource:
    order = medication_request(text, "x", "draft")
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"allergy-{index}",
        "clinicalStatus": _status(
            "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"
        ),
        "verificationStatus": _status(
            "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"
        ),
        "type": kind,
        "code": order["medicationCodeableConcept"],
        "patient": {"reference": "Patient/p1"},
    }


def _lab_order(code: str, ident: str, status: str) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": ident,
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "authoredOn": ago("1 h"),
    }


def _bundle(resources: list[Resource]) -> Resource:
    entries = [
        {"fullUrl": f"https://ehr.example/{r['resourceType']}/{r['id']}", "resource": r}
        for r in resources
    ]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return bundle | ({"entry": entries} if entries else {})


def _prefetch(scene: Scene) -> Resource:
    prefetch: Resource = {}
    for key in KEYS:
        if key in scene.absent:
            continue
        if key in scene.prefetch:
            prefetch[key] = scene.prefetch[key]
        elif key == "patient":
            prefetch[key] = scene.patient
        elif key == "encounter":
            if scene.encounter is not None:
                prefetch[key] = scene.encounter
        else:
            prefetch[key] = _bundle(scene.bundles[key])
            if key in scene.more_pages:
                link = {"relation": "next", "url": f"https://ehr.example/{key}?page=2"}
                prefetch[key]["link"] = [link]
    return prefetch


def _request(scene: Scene, hook: str) -> Resource:
    context: Resource = {"userId": "Practitioner/pr1", "patientId": "p1"}
    if scene.encounter is not None:
        context["encounterId"] = "e1"
    if hook != "patient-view" and scene.drafts is not None:
        entries = [{"resource": r} for r in [*scene.drafts, *scene.drafted_medications]]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        if hook == "order-select" and not scene.no_selections:
            every = [f"{draft['resourceType']}/{draft['id']}" for draft in scene.drafts]
            context["selections"] = every if scene.selections is None else scene.selections
    request: Resource = {
        "hook": hook,
        "hookInstance": "11111111-2222-4333-8444-555555555555",
        "context": context,
        "prefetch": _prefetch(scene),
    }
    if scene.fhir_server:
        request["fhirServer"] = scene.fhir_server
    return request
