"""Edit: the request with a WhatIf put into it, and what was edited, in words.

The edits are made in the request itself: a result is put in the place of another, a condition is
added or left out. So the JSON that is shown is the JSON that was decided, and sending it anywhere
gives the same cards. Every resource that a control put there has an id that begins with
``what-if``.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cards import codes
from cards.codes import LOINC, RXNORM, SNOMED, UCUM
from cards.evidence import NEED_OF_LAB
from service.pages.draft import Draft
from service.pages.whatif.control import DIALS, MARK, SETTINGS, Base, Dial, Flag, WhatIf
from service.pages.whatif.prefetch import (
    Prefetch,
    as_object,
    groups_of,
    is_after,
    is_order,
    labs_of,
    name_of,
    states_of,
)

Json = dict[str, Any]
_UCUM = {"mL/min": "mL/min/{1.73_m2}"}


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
    context = dict(as_object(request.get("context")))
    drafts = as_object(context.get("draftOrders")).get("entry")
    if hook == "patient-view":
        context.pop("draftOrders", None)
        context.pop("selections", None)
    else:
        context.setdefault("draftOrders", {"resourceType": "Bundle", "type": "collection"})
    if hook == "order-select" and "selections" not in context:
        context["selections"] = [
            f"MedicationRequest/{resource['id']}"
            for entry in (drafts if isinstance(drafts, list) else ())
            if (resource := as_object(as_object(entry).get("resource"))).get("id")
        ]
    elif hook == "order-sign":
        context.pop("selections", None)
    return request | {"hook": hook, "context": context}


@dataclass
class _Editor:
    """Edits ``request`` in place, and says in ``said`` what it did."""

    request: Json
    base: Base
    hook: str
    now: datetime
    said: list[str] = field(default_factory=list)
    prefetch: Prefetch = field(init=False)

    def __post_init__(self) -> None:
        self.prefetch = Prefetch(self.request)

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
        self.prefetch.drop(lambda r: dial.lab in labs_of(r))
        note = ""
        if dial.lab == "egfr":
            # Else the lowest of the estimates decides, and the dial would do nothing.
            self.prefetch.drop(lambda r: "creatinine" in labs_of(r))
            self.prefetch.answer("creatinine")
            note = " (creatinine left out, so that it decides)"
        code = codes.lab_codes(dial.lab)[0]
        taken = self.now - timedelta(hours=1)
        self.prefetch.put(NEED_OF_LAB[dial.lab], self._observation(dial, code, value, taken))
        self._say(dial, value, note)

    def put_magnesium(self, value: Decimal | None, hours: Decimal | None) -> None:
        """The deciding result with another value, another time, or both."""
        now, base = self.now, self.base
        taken = base.collected or now - timedelta(hours=1)
        mg, ago = DIALS[0], DIALS[-1]
        if hours is not None:
            taken = now - timedelta(hours=float(hours))
            # A newer one would decide instead.
            self.prefetch.drop(lambda r: "magnesium" in labs_of(r) and is_after(r, taken))
            self._say(ago, hours, "")
        if base.result is not None:
            self.prefetch.drop(lambda r: name_of(r) == base.result)
        if value is not None:
            self._say(mg, value, f" (in the place of {base.result})" if base.result else "")
        shown = value if value is not None else base.values["mg"]
        if shown is not None:
            self.prefetch.put(
                NEED_OF_LAB["magnesium"], self._observation(mg, "19123-9", shown, taken)
            )

    def add(self, flag: Flag) -> None:
        self.said.append(f"{flag.label}: added")
        when = self.now.isoformat(timespec="seconds")
        if flag.name == "digoxin":
            order = self._medication("MedicationRequest", flag, RXNORM, "3407", "Digoxin")
            started = (self.now - timedelta(days=7)).isoformat(timespec="seconds")
            self.prefetch.put("medications", order | {"intent": "order", "authoredOn": started})
            return
        if flag.name == "infusion":
            given = self._medication(
                "MedicationAdministration", flag, RXNORM, "6585", "Magnesium sulfate"
            )
            begun = (self.now - timedelta(minutes=15)).isoformat(timespec="seconds")
            self.prefetch.put(
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
        self.prefetch.put("conditions", resource)

    def remove(self, flag: Flag) -> None:
        self.said.append(f"{flag.label}: left out")
        drop = self.prefetch.drop
        if flag.name == "digoxin":
            drop(lambda r: is_order(r) and "digoxin" in groups_of(r))
        elif flag.name == "infusion":
            drop(lambda r: is_order(r) and "magnesium" in groups_of(r))
            drop(lambda r: r.get("status") == "in-progress" and "magnesium" in groups_of(r))
        else:
            drop(lambda r: r.get("resourceType") == "Condition" and flag.name in states_of(r))
            if flag.name == "pregnancy":
                drop(lambda r: "pregnancy-status" in labs_of(r))

    def put_setting(self, code: str) -> None:
        id_ = self.encounter_id or f"{MARK}-encounter"
        self.prefetch.drop(lambda r: r.get("resourceType") == "Encounter")
        self.context["encounterId"] = id_
        system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
        self.prefetch.values()["encounter"] = {
            "resourceType": "Encounter",
            "id": id_,
            "status": "in-progress",
            "class": {"system": system, "code": code},
            "subject": {"reference": f"Patient/{self.patient_id}"},
        }
        self.said.append(f"Setting: {dict(SETTINGS)[code]}")

    def put_draft(self, draft: Draft) -> None:
        orders = as_object(self.context.get("draftOrders"))
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


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _quantity(value: Decimal, unit: str, code: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
