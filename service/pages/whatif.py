"""WhatIf: a request edited by the workbench's controls, and what was edited, in words.

The edits are made in the request itself: a result is put in the place of another, a condition is
added or left out. So the JSON that is shown is the JSON that was decided, and sending it anywhere
gives the same cards. Every resource that a control put there has an id that begins with
``what-if``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import cards
from cards import codes
from cards.codes import LOINC, RXNORM, SNOMED, UCUM
from cards.evidence import NEED, NEEDS
from cards.instant import read_instant
from cards.quantity import places
from service.pages.bundle import codings
from service.pages.draft import Draft, number, read_draft

Json = dict[str, Any]
MARK = "what-if"
_NEED_OF_LAB = {lab: need.name for need in NEEDS for lab in need.labs}


@dataclass(frozen=True, slots=True)
class Dial:
    """A number that can be moved: the lab it stands for, its unit, range and step."""

    name: str
    label: str
    lab: str
    unit: str
    low: str
    high: str
    step: str
    places: int


DIALS = (
    Dial("mg", "Magnesium", "magnesium", "mg/dL", "0.4", "6", "0.1", 2),
    Dial("gfr", "eGFR", "egfr", "mL/min", "5", "120", "1", 0),
    Dial("weight", "Weight", "weight", "kg", "30", "160", "1", 1),
    Dial("k", "Potassium", "potassium", "mmol/L", "2", "6.5", "0.1", 1),
    Dial("qtc", "QTc", "qtc", "ms", "340", "600", "5", 0),
    Dial("hours", "Magnesium drawn", "magnesium", "h ago", "0", "120", "1", 0),
)
_UCUM = {"mL/min": "mL/min/{1.73_m2}"}


@dataclass(frozen=True, slots=True)
class Flag:
    """A condition or a drug that can be put there or taken away."""

    name: str
    label: str


CONDITIONS = (
    Flag("torsades", "Torsades de pointes now"),
    Flag("seizure", "Seizure now"),
    Flag("tetany", "Tetany (symptomatic)"),
    Flag("acute-coronary-syndrome", "Acute coronary syndrome"),
    Flag("ileus", "Ileus (enteral route out)"),
    Flag("chronic-diarrhea", "Chronic diarrhoea"),
    Flag("av-block-high", "High-degree heart block"),
    Flag("myasthenia", "Myasthenia gravis"),
    Flag("pregnancy", "Pregnancy"),
    Flag("aki", "Acute kidney injury"),
    Flag("dialysis", "Dialysis"),
)
DRUG_FLAGS = (
    Flag("digoxin", "Digoxin, active"),
    Flag("infusion", "Magnesium infusion running"),
)
FLAGS = CONDITIONS + DRUG_FLAGS
SETTINGS = (("", "as recorded"), ("IMP", "inpatient"), ("AMB", "outpatient"))


@dataclass(frozen=True, slots=True)
class Base:
    """What the request says before anything is moved: ``values`` by dial, None where it says
    nothing; the flags that are on; the deciding magnesium result's reference."""

    values: Mapping[str, Decimal | None]
    flags: frozenset[str]
    result: str | None
    collected: datetime | None


def read_base(decision: cards.Decision) -> Base:
    """The Base of the decision on the request as it came."""
    chart = decision.chart
    result = chart.magnesium.result
    collected = result.collected if result is not None else None
    hours = None
    if collected is not None:
        hours = Decimal(max(0, int((chart.now - collected).total_seconds() // 3600)))
    values = {
        "mg": result.value if result is not None else None,
        "gfr": chart.kidney.gfr,
        "weight": chart.weight.value if chart.weight else None,
        "k": chart.potassium.value if chart.potassium else None,
        "qtc": chart.qtc.value if chart.qtc else None,
        "hours": hours,
    }
    facts = chart.conditions.facts
    flags = {
        flag.name
        for flag in CONDITIONS
        if any(fact.active or fact.current for fact in facts.get(flag.name, ()))
    }
    if chart.pregnant:
        flags.add("pregnancy")
    if chart.medicines.active("digoxin"):
        flags.add("digoxin")
    if chart.medicines.running_parenteral() or any(
        g.resource.status == "in-progress" for g in chart.medicines.magnesium_given
    ):
        flags.add("infusion")
    rounded = {d.name: _rounded(values[d.name], d) for d in DIALS}
    return Base(rounded, frozenset(flags), result.source if result else None, collected)


def _rounded(value: Decimal | None, dial: Dial) -> Decimal | None:
    return None if value is None else Decimal(places(value, dial.places))


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the controls ask for: only what differs from the Base."""

    values: Mapping[str, Decimal] = field(default_factory=dict)
    added: tuple[Flag, ...] = ()
    removed: tuple[Flag, ...] = ()
    setting: str = ""
    draft: Draft | None = None

    def __bool__(self) -> bool:
        return bool(self.values or self.added or self.removed or self.setting or self.draft)


def read_whatif(values: Mapping[str, str], flags: frozenset[str], base: Base) -> WhatIf:
    """The WhatIf of the form's fields. A field that was left as it was, is empty or holds no
    number changes nothing."""
    moved = {
        dial.name: value
        for dial in DIALS
        if (value := number(values.get(dial.name))) is not None
        and value != _before(dial, values, base)
    }
    setting = values.get("setting", "")
    return WhatIf(
        moved,
        tuple(f for f in FLAGS if f.name in flags - base.flags),
        tuple(f for f in FLAGS if f.name in base.flags - flags),
        setting if setting in ("IMP", "AMB") else "",
        read_draft(values),
    )


def _before(dial: Dial, values: Mapping[str, str], base: Base) -> Decimal | None:
    """What the field showed when the page was made: hours go by while it is looked at."""
    shown = number(values.get(f"was-{dial.name}"))
    return base.values[dial.name] if shown is None else shown


def edited(
    request: Json, whatif: WhatIf, base: Base, hook: str, now: datetime
) -> tuple[Json, tuple[str, ...]]:
    """(the request with the edits made, each of them in words). The request is not changed."""
    editor = _Editor(deepcopy(request), base, hook, now)
    for dial in DIALS:
        if dial.name in whatif.values and dial.lab != "magnesium":
            editor.put_lab(dial, whatif.values[dial.name])
    if whatif.values.keys() & {"mg", "hours"}:
        editor.put_magnesium(whatif.values.get("mg"), whatif.values.get("hours"))
    for flag in whatif.removed:
        editor.remove(flag)
    for flag in whatif.added:
        editor.add(flag)
    if whatif.setting:
        editor.put_setting(whatif.setting)
    if whatif.draft is not None and hook != "patient-view":
        editor.put_draft(whatif.draft)
    return editor.request, tuple(editor.said)


def as_hook(request: Json, hook: str) -> Json:
    """The request asked at another hook: its context made to fit, its data as they are."""
    if request.get("hook") == hook:
        return request
    context = dict(_object(request.get("context")))
    drafts = _object(context.get("draftOrders")).get("entry")
    if hook == "patient-view":
        context.pop("draftOrders", None)
        context.pop("selections", None)
    else:
        context.setdefault("draftOrders", {"resourceType": "Bundle", "type": "collection"})
    if hook == "order-select" and "selections" not in context:
        context["selections"] = [
            f"MedicationRequest/{resource['id']}"
            for entry in (drafts if isinstance(drafts, list) else ())
            if (resource := _object(_object(entry).get("resource"))).get("id")
        ]
    elif hook == "order-sign":
        context.pop("selections", None)
    return request | {"hook": hook, "context": context}


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


@dataclass
class _Editor:
    """Edits ``request`` in place, and says in ``said`` what it did."""

    request: Json
    base: Base
    hook: str
    now: datetime
    said: list[str] = field(default_factory=list)

    @property
    def context(self) -> Json:
        found: Json = self.request["context"]
        return found

    @property
    def patient_id(self) -> str:
        return str(self.context.get("patientId", "")).removeprefix("Patient/")

    @property
    def encounter_id(self) -> str | None:
        found = self.context.get("encounterId")
        return found.removeprefix("Encounter/") if isinstance(found, str) and found else None

    # --- what the controls do ---------------------------------------------------------------

    def put_lab(self, dial: Dial, value: Decimal) -> None:
        """One result, taken an hour ago, instead of all of that lab."""
        self._drop(lambda r: dial.lab in _labs(r))
        note = ""
        if dial.lab == "egfr":
            # Else the lowest of the estimates decides, and the dial would do nothing.
            self._drop(lambda r: "creatinine" in _labs(r))
            self._answer("creatinine")
            note = " (creatinine left out, so that it decides)"
        code = codes.lab_codes(dial.lab)[0]
        taken = self.now - timedelta(hours=1)
        self._put(dial.lab, self._observation(dial, code, value, taken))
        self._say(dial, value, note)

    def put_magnesium(self, value: Decimal | None, hours: Decimal | None) -> None:
        """The deciding result with another value, another time, or both."""
        now, base = self.now, self.base
        taken = base.collected or now - timedelta(hours=1)
        mg, ago = DIALS[0], DIALS[-1]
        if hours is not None:
            taken = now - timedelta(hours=float(hours))
            # A newer one would decide instead.
            self._drop(lambda r: "magnesium" in _labs(r) and _is_after(r, taken))
            self._say(ago, hours, "")
        if base.result is not None:
            self._drop(lambda r: _name(r) == base.result)
        if value is not None:
            self._say(mg, value, f" (in the place of {base.result})" if base.result else "")
        shown = value if value is not None else base.values["mg"]
        if shown is not None:
            self._put("magnesium", self._observation(mg, "19123-9", shown, taken))

    def add(self, flag: Flag) -> None:
        self.said.append(f"{flag.label}: added")
        when = self.now.isoformat(timespec="seconds")
        if flag.name == "digoxin":
            order = self._medication("MedicationRequest", flag, RXNORM, "3407", "Digoxin")
            started = (self.now - timedelta(days=7)).isoformat(timespec="seconds")
            self._put_in("medications", order | {"intent": "order", "authoredOn": started})
            return
        if flag.name == "infusion":
            given = self._medication(
                "MedicationAdministration", flag, RXNORM, "6585", "Magnesium sulfate"
            )
            begun = (self.now - timedelta(minutes=15)).isoformat(timespec="seconds")
            self._put_in(
                "administrations",
                given
                | {
                    "status": "in-progress",
                    "effectivePeriod": {"start": begun},
                    "dosage": {"dose": _quantity(Decimal(2), "g", "g")},
                },
            )
            return
        code, entry = next(iter(codes.code_set(f"condition.{flag.name}.snomed").codes.items()))
        resource: Json = {
            "resourceType": "Condition",
            "id": f"{MARK}-{flag.name}",
            "clinicalStatus": _status("condition-clinical", "active"),
            "verificationStatus": _status("condition-ver-status", "confirmed"),
            "code": _concept(SNOMED, code, entry.display),
            "subject": {"reference": f"Patient/{self.patient_id}"},
            "recordedDate": when,
            "onsetDateTime": when,
        }
        if self.encounter_id:
            resource["encounter"] = {"reference": f"Encounter/{self.encounter_id}"}
        self._put_in("conditions", resource)

    def remove(self, flag: Flag) -> None:
        self.said.append(f"{flag.label}: left out")
        if flag.name == "digoxin":
            self._drop(lambda r: _is_order(r) and "digoxin" in _groups(r))
        elif flag.name == "infusion":
            self._drop(lambda r: _is_order(r) and "magnesium" in _groups(r))
            self._drop(lambda r: r.get("status") == "in-progress" and "magnesium" in _groups(r))
        else:
            self._drop(lambda r: r.get("resourceType") == "Condition" and flag.name in _states(r))
            if flag.name == "pregnancy":
                self._drop(lambda r: "pregnancy-status" in _labs(r))

    def put_setting(self, code: str) -> None:
        id_ = self.encounter_id or f"{MARK}-encounter"
        self._drop(lambda r: r.get("resourceType") == "Encounter")
        self.context["encounterId"] = id_
        system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
        self._prefetch()["encounter"] = {
            "resourceType": "Encounter",
            "id": id_,
            "status": "in-progress",
            "class": {"system": system, "code": code},
            "subject": {"reference": f"Patient/{self.patient_id}"},
        }
        self.said.append(f"Setting: {dict(SETTINGS)[code]}")

    def put_draft(self, draft: Draft) -> None:
        orders = _object(self.context.get("draftOrders"))
        entries = orders.get("entry")
        resource = draft.resource(self.patient_id, self.encounter_id, self.now)
        kept = entries if isinstance(entries, list) else []
        self.context["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            **orders,
            "entry": [*kept, {"resource": resource}],
        }
        if self.hook == "order-select":
            # The order that was just made is the one that is judged.
            self.context["selections"] = [f"MedicationRequest/{resource['id']}"]
        self.said.append(f"Order drafted: {draft.said}")

    # --- resources --------------------------------------------------------------------------

    def _say(self, dial: Dial, value: Decimal, note: str) -> None:
        before = self.base.values[dial.name]
        was = "none" if before is None else f"{before}"
        self.said.append(f"{dial.label}: {was} → {value} {dial.unit}{note}")

    def _observation(self, dial: Dial, code: str, value: Decimal, taken: datetime) -> Json:
        found = codes.display(LOINC, code) or dial.label
        return {
            "resourceType": "Observation",
            "id": f"{MARK}-{dial.lab}",
            "status": "final",
            "code": _concept(LOINC, code, found),
            "subject": {"reference": f"Patient/{self.patient_id}"},
            "effectiveDateTime": taken.isoformat(timespec="seconds"),
            "valueQuantity": _quantity(value, dial.unit, _UCUM.get(dial.unit, dial.unit)),
        }

    def _medication(self, type_: str, flag: Flag, system: str, code: str, text: str) -> Json:
        return {
            "resourceType": type_,
            "id": f"{MARK}-{flag.name}",
            "status": "active",
            "medicationCodeableConcept": _concept(system, code, text),
            "subject": {"reference": f"Patient/{self.patient_id}"},
        }

    # --- the prefetch -----------------------------------------------------------------------

    def _prefetch(self) -> Json:
        found = self.request.get("prefetch")
        if not isinstance(found, dict):
            found = self.request["prefetch"] = {}
        return found

    def _put(self, lab: str, resource: Json) -> None:
        self._put_in(_NEED_OF_LAB[lab], resource)

    def _put_in(self, need: str, resource: Json) -> None:
        self._answer(need)["entry"].append({"resource": resource})

    def _answer(self, need: str) -> Json:
        """The Bundle under a need's key, made when there is none: then the need counts as
        answered."""
        prefetch = self._prefetch()
        value = _object(prefetch.get(need))
        if "resourceType" not in value and "resource" in value:
            value = _object(value["resource"])  # the wrapper of CDS Hooks 1.0
        if value.get("resourceType") not in ("Bundle", NEED[need].type):
            value = {"resourceType": "Bundle", "type": "searchset"}
        elif value.get("resourceType") != "Bundle":
            value = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": value}]}
        if not isinstance(value.get("entry"), list):
            value["entry"] = []
        prefetch[need] = value
        return value

    def _drop(self, wanted: Callable[[Json], bool]) -> None:
        """Leaves every resource out of the prefetch that is ``wanted``."""
        prefetch = self._prefetch()
        for key, value in list(prefetch.items()):
            if isinstance(value, dict) and "resourceType" in value and _is(value, wanted):
                prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": []}
            else:
                _filter(value, wanted)


def _is(resource: Json, wanted: Callable[[Json], bool]) -> bool:
    return resource.get("resourceType") != "Bundle" and wanted(resource)


def _filter(value: object, wanted: Callable[[Json], bool]) -> None:
    found = _object(value)
    _filter_inside(found.get("resource"), wanted)
    entries = found.get("entry")
    if not isinstance(entries, list):
        return
    kept = [e for e in entries if not _is(_object(_object(e).get("resource")), wanted)]
    if len(kept) != len(entries):
        found["entry"] = kept
        if isinstance(found.get("total"), int):
            found["total"] = len(kept)
    for entry in kept:
        _filter_inside(_object(entry).get("resource"), wanted)


def _filter_inside(resource: object, wanted: Callable[[Json], bool]) -> None:
    if _object(resource).get("resourceType") == "Bundle":
        _filter(resource, wanted)


def _name(resource: Json) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _labs(resource: Json) -> frozenset[str]:
    if resource.get("resourceType") != "Observation":
        return frozenset()
    found = (codes.lab_concept(code) for _, code in codings(resource))
    return frozenset(lab for lab in found if lab is not None)


def _is_after(resource: Json, moment: datetime) -> bool:
    text = resource.get("effectiveDateTime")
    instant = read_instant(text) if isinstance(text, str) else None
    return instant is not None and instant.start >= moment


def _states(resource: Json) -> frozenset[str]:
    return frozenset().union(*(codes.condition_concepts(s, c) for s, c in codings(resource)))


def _is_order(resource: Json) -> bool:
    return resource.get("resourceType") == "MedicationRequest"


def _groups(resource: Json) -> frozenset[str]:
    """The groups of the drugs that a medication resource names by code."""
    coded = {"code": resource.get("medicationCodeableConcept")}
    found: frozenset[str] = frozenset()
    for system, code in codings(coded):
        drug = codes.drug(system, code)
        found |= drug.groups if drug is not None else frozenset()
    return found


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _quantity(value: Decimal, unit: str, code: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def dials(base: Base, values: Mapping[str, str], moved: WhatIf) -> Iterator[tuple[Dial, str, bool]]:
    """(dial, what its field shows, whether it was moved)"""
    for dial in DIALS:
        before = base.values[dial.name]
        shown = moved.values.get(dial.name, before)
        yield dial, "" if shown is None else f"{shown}", dial.name in moved.values
