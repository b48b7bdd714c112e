"""Stays of eicu-demo, and the request an EHR would send at a moment of one.

Only what was known then is sent: results by ``issued`` (else their collection time), orders by
``authoredOn``; every order that was not cancelled is active until its end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
Json = dict[str, Any]
LABS = {
    "magnesium": ("19123-9",),
    "potassium": ("2823-3",),
    "calcium": ("17861-6", "1994-3"),
    "creatinine": ("2160-0",),
    "weight": ("29463-7",),
}
# What the data set does not hold: not obtained, or assumed to be empty.
NOT_HELD = (
    "albumin egfr qtc conditions administrations procedures allergies laborders platelets urine "
    "pregnancy"
).split()
_UNKNOWN_ISSUED = timedelta(minutes=30)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Moment:
    """A hook fired: ``about`` is the result just reported, or the order being written."""

    hook: str
    now: datetime
    about: Resource


@dataclass
class Stay:
    patient: Resource
    observations: list[Resource] = field(default_factory=list)
    orders: list[Resource] = field(default_factory=list)

    def moments(self, hooks: tuple[str, ...]) -> Iterator[Moment]:
        for hook in hooks:
            if hook == "patient-view":
                for result in self.observations:
                    if is_magnesium(result):
                        yield Moment(hook, reported(result, _UNKNOWN_ISSUED), result)
            else:
                for order in self.orders:
                    yield Moment(hook, instant(order["authoredOn"]), order)

    def known(self, now: datetime) -> tuple[list[Resource], list[Resource]]:
        return (
            [o for o in self.observations if reported(o) <= now],
            [o for o in self.orders if instant(o["authoredOn"]) <= now],
        )


def reported(result: Resource, late: timedelta = timedelta(0)) -> datetime:
    if "issued" in result:
        return instant(result["issued"])
    return instant(result["effectiveDateTime"]) + late


def is_magnesium(resource: Resource) -> bool:
    return any(c["code"] == "19123-9" for c in resource["code"]["coding"])


def read_stays(folder: Path) -> list[Stay]:
    def rows(name: str) -> Iterator[Resource]:
        with (folder / f"{name}.ndjson").open() as lines:
            yield from map(json.loads, lines)

    stays = {p["id"]: Stay(p) for p in rows("Patient")}
    for kind, name in (("observations", "Observation"), ("orders", "MedicationRequest")):
        for row in rows(name):
            getattr(stays[row["subject"]["reference"].split("/")[1]], kind).append(row)
    return list(stays.values())


def bundle(resources: list[Resource]) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "entry": [{"resource": r} for r in resources],
    }


def request(stay: Stay, moment: Moment, *, assume_none: bool, session: bool) -> Json:
    """The hook request of a moment.

    ``assume_none``: what the data set does not hold is empty, the encounter inpatient; else
    those keys are absent. ``session``: orders of the same minute are drafts of the same
    session, else they are active already.
    """
    patient_id = stay.patient["id"]
    observations, orders = stay.known(moment.now)
    by_lab: dict[str, list[Resource]] = defaultdict(list)
    for observation in observations:
        code = observation["code"]["coding"][0]["code"]
        for lab, codes in LABS.items():
            if code in codes:
                by_lab[lab].append(observation)
    context: Json = {"userId": "Practitioner/trial", "patientId": patient_id}
    prefetch: Json = {"patient": stay.patient, **{lab: bundle(by_lab[lab]) for lab in LABS}}
    if moment.hook != "patient-view":
        drafted = [moment.about]
        if session:
            drafted = [o for o in orders if o["authoredOn"] == moment.about["authoredOn"]]
        orders = [o for o in orders if o not in drafted]
        drafts = [{**o, "status": "draft"} for o in drafted]
        context["draftOrders"] = {
            "resourceType": "Bundle",
            "entry": [{"resource": d} for d in drafts],
        }
        context["selections"] = [f"MedicationRequest/{moment.about['id']}"]
        if moment.hook == "order-sign":
            del context["selections"]
    prefetch["medications"] = bundle(orders)
    if assume_none:
        prefetch |= {key: bundle([]) for key in NOT_HELD}
        context["encounterId"] = "trial"
        prefetch["encounter"] = {
            "resourceType": "Encounter",
            "id": "trial",
            "status": "in-progress",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "IMP",
            },
            "subject": {"reference": f"Patient/{patient_id}"},
        }
    return {
        "hook": moment.hook,
        "hookInstance": f"trial-{moment.about['id']}",
        "context": context,
        "prefetch": prefetch,
    }
