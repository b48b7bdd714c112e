"""Requests in the shapes that clients really send, written anew for one made-up patient."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cards.evidence import NEEDS
from service.cdshooks.fixture import Fixture

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SERVICE = {
    "patient-view": "magnesium-patient-view",
    "order-select": "magnesium-order-select",
    "order-sign": "magnesium-order-sign",
}
Json = dict[str, Any]


def ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lab(code: str, value: float | str, unit: str, hours: float = 2, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"{code}-{hours:g}".replace(".", "-"),
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": ago(hours),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        **more,
    }


def magnesium(value: float | str = 1.1, hours: float = 2, **more: Any) -> Json:
    return lab("19123-9", value, "mg/dL", hours, **more)


def bundle(*resources: Json | None, **more: Any) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": r} for r in resources],
        **more,
    }


def patient(id_: str = "p1") -> Json:
    return {"resourceType": "Patient", "id": id_, "gender": "male", "birthDate": "1966-01-15"}


def prefetch() -> Json:
    """Everything the service asks for, for a 60-year-old man with a magnesium of 1.1 mg/dL."""
    return {
        **{need.name: bundle() for need in NEEDS if not need.single},
        "patient": patient(),
        "magnesium": bundle(magnesium()),
        "potassium": bundle(lab("2823-3", 4.2, "mmol/L", 4)),
        "calcium": bundle(lab("17861-6", 9.2, "mg/dL", 4)),
        "albumin": bundle(lab("1751-7", 4.0, "g/dL", 4)),
        "creatinine": bundle(lab("2160-0", 0.7, "mg/dL", 4)),
        "egfr": bundle(lab("98979-8", 90, "mL/min/{1.73_m2}", 4)),
        "weight": bundle(lab("29463-7", 70, "kg", 30)),
        "encounter": {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "in-progress",
            "class": {"code": "IMP"},
            "subject": {"reference": "Patient/p1"},
        },
    }


def draft(code: str = "8591", text: str = "Potassium chloride", **more: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code}], "text": text},
        "subject": {"reference": "Patient/p1"},
        "authoredOn": ago(0),
        **more,
    }


def request(hook: str = "patient-view", *drafts: Json, **more: Any) -> Json:
    """A whole request; keyword arguments replace top-level elements (None stays null)."""
    context: Json = {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"}
    if hook != "patient-view":
        drafts = drafts or (draft(),)
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection"} | {
            "entry": [{"resource": d} for d in drafts]
        }
    if hook == "order-select":
        context["selections"] = [f"{d['resourceType']}/{d.get('id', 'x')}" for d in drafts]
    return {
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "hook": hook,
        "context": context,
        "prefetch": prefetch(),
        **more,
    }


def now_request(hook: str = "patient-view", *drafts: Json, **more: Any) -> Json:
    """A request with its times of today, for a server whose clock is the real one: a low level of
    more than 90 days ago is silent (ruling 98)."""
    value = request(hook, *drafts, **more)
    found: Json = json.loads(Fixture(NOW, SERVICE[hook], value).body(datetime.now(UTC)))
    return found


def changed(base: Json, path: str, value: Any) -> Json:
    """A copy of ``base`` with the element at ``path`` ("context/patientId") set."""
    new = copy.deepcopy(base)
    *parents, last = path.split("/")
    at: Any = new
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    at[int(last) if isinstance(at, list) else last] = value
    return new


def without(base: Json, path: str) -> Json:
    """A copy of ``base`` without the element at ``path``."""
    new = copy.deepcopy(base)
    *parents, last = path.split("/")
    at: Any = new
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    del at[last]
    return new


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


# --- the official Sandbox -------------------------------------------------------------------


def sandbox_draft(**more: Any) -> Json:
    """The Sandbox's one order as it first sends it: no intent, no medication."""
    return {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": NOW.strftime("%Y-%m-%d"),
        **more,
    }


def sandbox_order(code: str, text: str, **more: Any) -> Json:
    """The same once a drug is chosen: category an object, a dose of one pill."""
    return sandbox_draft(
        dosageInstruction=[
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "system": UCUM, "code": "{pill}"}}],
            }
        ],
        intent="order",
        category={"coding": [{"code": "community"}]},
        medicationCodeableConcept={
            "text": text,
            "coding": [{"display": text, "system": RXNORM, "code": code}],
        },
        **more,
    )


def sandbox_request(hook: str, *drafts: Json, prefetched: Json | None = None) -> Json:
    """As the Sandbox sends it: fhirServer always, Bundle without type, never an encounter."""
    context: Json = {"patientId": "p1", "userId": "Practitioner/COREPRACTITIONER1"}
    if drafts:
        if hook == "order-select":
            context["selections"] = [f"{d['resourceType']}/{d['id']}" for d in drafts]
        entries = [{"resource": d} for d in drafts]
        context["draftOrders"] = {"resourceType": "Bundle", "entry": entries}
    labs = bundle(magnesium(), magnesium(1.6, 40), lab("2823-3", 3.1, "mmol/L"))
    labs["link"] = [{"relation": "self", "url": "http://127.0.0.1:9100/r4"}]
    return {
        "hookInstance": "606d55f8-20e3-4ae4-9cc0-b70c1054d31d",
        "hook": hook,
        "fhirServer": "http://127.0.0.1:9100/r4",
        "context": context,
        "prefetch": {"patient": patient(), "labs": labs} if prefetched is None else prefetched,
    }


FUROSEMIDE = ("313988", "Furosemide 40 MG Oral Tablet")
MAGNESIUM_OXIDE = ("252430", "Magnesium Oxide 400 MG Oral Capsule")
IMAGING = {
    "resourceType": "ServiceRequest",
    "id": "example-request-id",
    "status": "draft",
    "intent": "plan",
    "code": {"coding": [{}]},
    "subject": {"reference": "Patient/p1"},
    "reasonCode": [],
}
HEART_FAILURE = {"coding": [{"system": "http://snomed.info/sct", "code": "84114007"}]}
SANDBOX: dict[str, Json] = {
    "patient view": sandbox_request("patient-view"),
    "order select, no drug yet": sandbox_request("order-select", sandbox_draft()),
    "order select, drug": sandbox_request("order-select", sandbox_order(*FUROSEMIDE)),
    "order select, reason": sandbox_request(
        "order-select", sandbox_order(*FUROSEMIDE, reasonCode=HEART_FAILURE)
    ),
    "order select, second click": sandbox_request("order-select"),
    "order select, after accept": sandbox_request("order-select", sandbox_order(*MAGNESIUM_OXIDE)),
    "order sign": sandbox_request("order-sign", sandbox_order(*FUROSEMIDE)),
    "order sign, second click": sandbox_request("order-sign"),
    "imaging": sandbox_request("order-select", IMAGING),
}


# --- HL7's validator cases, the good ones ---------------------------------------------------

_OPIOID = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "1298088"}]},
    "subject": {"reference": "Patient/p1"},
    "authoredOn": "2022-09-26",
}
_NULLS: Json = {f"item{i}": None for i in range(2, 9)}
HL7_GOOD: dict[str, Json] = {
    "patient view, authorization": {
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "http://hooks.smarthealthit.org:9080",
        "hook": "patient-view",
        "fhirAuthorization": {
            "access_token": "some-opaque-fhir-access-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/Patient.read user/Observation.read",
            "subject": "cds-service4",
        },
        "context": {"userId": "Practitioner/example", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {"patientToGreet": patient()},
    },
    "patient view, single resources and nulls": {
        "hookInstance": "e9f6b9a0-366c-47af-b11b-f6d54797030a",
        "fhirServer": "http://localhost:8080/fhir",
        "hook": "patient-view",
        "context": {"userId": "Practitioner/example", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {"item1": patient(), "item2": _OPIOID, **_NULLS},
    },
    "order select": {
        "hookInstance": "259cf767-4b52-4e14-a741-04da147a430f",
        "fhirServer": "http://localhost:8080/fhir",
        "hook": "order-select",
        "context": {
            "userId": "Practitioner/example",
            "patientId": "p1",
            "encounterId": "e1",
            "selections": ["MedicationRequest/m1"],
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [
                    {"fullUrl": "http://localhost/MedicationRequest/m1", "resource": _OPIOID}
                ],
            },
        },
        "prefetch": {"item1": patient(), **_NULLS},
    },
    "order sign": {
        "hookInstance": "32a89854-a395-4f0e-8fa7-a660c7c9dd3d",
        "fhirServer": "http://localhost:8080/fhir",
        "hook": "order-sign",
        "context": {
            "userId": "Practitioner/example",
            "patientId": "p1",
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": _OPIOID}],
            },
        },
        "prefetch": {"item1": patient(), **_NULLS},
    },
}
