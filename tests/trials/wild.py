"""Requests and resources found in public repositories: as they are, and made ours.

A call is watched with an alarm: an answer that takes longer than ``LONGEST`` seconds is a hang.
"""

from __future__ import annotations

import copy
import json
import re
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service.answer import answer
from service.cdshooks.request import SERVICE_OF_HOOK
from service.errors import ServiceError

from .check import Tally

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
CAPTURED = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
"""When the Sandbox's requests were."""
LONGEST = 5
OURS = {
    "Observation": "magnesium",
    "Patient": "patient",
    "MedicationRequest": "medications",
    "MedicationOrder": "medications",
    "MedicationStatement": "medications",
    "MedicationAdministration": "administrations",
    "Condition": "conditions",
    "Encounter": "encounter",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "ServiceRequest": "laborders",
}
EMPTY = ("conditions", "medications", "administrations", "procedures", "allergies")


class Hang(Exception):
    """No answer within LONGEST seconds."""


def _ring(*_: object) -> None:
    raise Hang


def call(
    body: bytes, service: str, tally: Tally, where: str, now: datetime = NOW
) -> tuple[int, list[Json], Any]:
    """(HTTP status, cards, the Answer or the error) of one call."""
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(LONGEST)
    try:
        given = answer(body, service, now)
    except ServiceError as error:
        if error.status >= 500:
            tally.faults.append(f"{where}: {error.status}")
        return error.status, [], error
    except Exception as error:
        tally.faults.append(f"{where}: {type(error).__name__}: {error}")
        return 500, [], error
    finally:
        signal.alarm(0)
    return 200, tally.look(given.body, where), given


def severe(patient_id: str, id_: str = "trial-mg") -> Json:
    """Magnesium 0.9 mg/dL, collected an hour ago."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "19123-9"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": (NOW - timedelta(hours=1)).isoformat(),
        "valueQuantity": {
            "value": 0.9,
            "unit": "mg/dL",
            "system": "http://unitsofmeasure.org",
            "code": "mg/dL",
        },
    }


def names_result(cards: list[Json]) -> bool:
    return any("0.9" in card["detail"] for card in cards)


def resources(value: Any) -> Iterator[Json]:
    """Every resource in a prefetch value, whatever wraps it."""
    if isinstance(value, dict):
        if value.get("resourceType") not in (None, "Bundle", "List", "Parameters"):
            yield value
        else:
            for inner in value.values():
                yield from resources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from resources(inner)


def bundle(found: list[Any]) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": r} for r in found],
    }


def _drafts(context: Json) -> list[Json]:
    found = [*resources(context.get("draftOrders")), *resources(context.get("medications"))]
    return [r for r in found if r["resourceType"] != "Patient"]


def rekeyed(request: Json, hook: str) -> Json | None:
    """The request with its Patient, Observations and MedicationRequests under our keys."""
    context = request.get("context") or {}
    patient_id = str(context.get("patientId") or "trial").split("/")[-1]
    found = list(resources(request.get("prefetch")))
    patients = [
        r for r in found if r["resourceType"] == "Patient" and r.get("id") in (patient_id, None)
    ]
    patient = (
        patients[0]
        if patients
        else {
            "resourceType": "Patient",
            "id": patient_id,
            "gender": "female",
            "birthDate": "1960-05-01",
        }
    )
    made: Json = {
        "patientId": context.get("patientId") or "trial",
        **{k: context[k] for k in ("userId", "encounterId") if isinstance(context.get(k), str)},
    }
    if hook != "patient-view":
        drafts = _drafts(context)
        if not drafts:
            return None
        made["draftOrders"] = {
            "resourceType": "Bundle",
            "entry": [{"resource": r} for r in drafts],
        }
        if isinstance(context.get("selections"), list) and hook == "order-select":
            made["selections"] = context["selections"]
    return {
        "hook": hook,
        "hookInstance": request.get("hookInstance") or "trial",
        "context": made,
        "prefetch": {
            "patient": patient,
            "magnesium": bundle(
                [
                    severe(patient_id),
                    *(r for r in found if r["resourceType"] == "Observation"),
                ]
            ),
            "medications": bundle([r for r in found if r["resourceType"] == "MedicationRequest"]),
            "conditions": bundle([r for r in found if r["resourceType"] == "Condition"]),
        },
    }


def cds_requests(data: Path, tally: Tally) -> list[str]:
    asis: Counter[str] = Counter()
    lines: list[str] = []
    kept: Counter[str] = Counter()
    for path in _files(data / "cds-requests"):
        raw = path.read_bytes()
        try:
            request = json.loads(raw)
        except ValueError:
            request = None
        hook = request.get("hook") if isinstance(request, dict) else None
        service = SERVICE_OF_HOOK.get(str(hook), "magnesium-patient-view")
        status, cards, told = call(raw, service, tally, path.name)
        asis[f"{'ours' if hook in SERVICE_OF_HOOK else 'other or no hook'}: {status}"] += 1
        if hook not in SERVICE_OF_HOOK and status != 400:
            tally.faults.append(f"{path.name}: hook {hook} answered {status}")
        if hook in SERVICE_OF_HOOK and status not in (200, 412):
            lines.append(f"as is {status}: {path.name}: {told}")
        if cards:
            lines.append(f"as is, a card: {path.name}: {cards[0]['summary']}")
        if request is None:
            continue
        for ours in SERVICE_OF_HOOK:
            sent = rekeyed(request, ours)
            if sent is None:
                continue
            where = f"{ours} {path.name}"
            status, cards, told = call(
                json.dumps(sent).encode(), SERVICE_OF_HOOK[ours], tally, where
            )
            named = "names 0.9" if names_result(cards) else "silent" if not cards else "other card"
            kept[f"{ours}: {status} {named}"] += 1
            if named != "names 0.9":
                if status == 200 and ours != "order-select":  # there, any other draft is silent
                    tally.faults.append(f"{where}: {named}")
                why = f"{told} {getattr(told, 'issues', '')}" if status != 200 else _drugs(told)
                lines.append(f"re-keyed {status} {named}: {where}: {why}")
    return [f"as is {dict(asis)}", *(f"re-keyed {k}: {n}" for k, n in sorted(kept.items())), *lines]


def _drugs(given: Any) -> str:
    drafts = given.decision.assessment.drafts
    return f"drafts {[(d.label, sorted(d.groups)) for d in drafts]}, unread {given.evidence.unread}"


def _files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.suffix in (".json", ".txt")]


def odd_resources(data: Path, tally: Tally) -> list[str]:
    lines: list[str] = []
    kept: Counter[str] = Counter()
    for path in _files(data / "odd-resources"):
        raw = path.read_bytes()
        for patched in ("own subject", "ours", "as magnesium", "as draft"):
            sent = _beside(raw, patched)
            if sent is None:
                continue
            hook = "order-sign" if patched == "as draft" else "patient-view"
            where = f"{patched} {path.name}"
            status, cards, given = call(sent, SERVICE_OF_HOOK[hook], tally, where)
            told = "names 0.9" if names_result(cards) else "a card" if cards else "silent"
            if status == 200 and told != "names 0.9":
                told += ", unread" if given.evidence.unread else ""
            kept[f"{patched}: {status} {told}"] += 1
            if status == 200 and told == "silent":
                tally.faults.append(f"{where}: silent")
            if status != 200 or told != "names 0.9":
                what = cards[0]["detail"][:220].replace("\n", " ") if cards else given
                unread = given.evidence.unread if status == 200 else getattr(given, "issues", "")
                lines.append(f"{status} {told}: {where}: {what} {unread}"[:500])
    return [*(f"{k}: {n}" for k, n in sorted(kept.items())), *lines]


def _beside(raw: bytes, patched: str) -> bytes | None:
    """A request with the odd resource beside the severe result; None when it does not apply."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        odd = json.loads(raw)
    except ValueError:
        odd = None
    if not isinstance(odd, dict):
        if patched != "own subject":
            return None
        type_ = (re.findall(rb'resourceType"?\s*:\s*"?(\w+)', raw) or [b"Observation"])[0].decode()
        odd = type_
    else:
        type_ = str(odd.get("resourceType"))
        odd = copy.deepcopy(odd)
    patient_id = "trial"
    prefetch: Json = {
        "patient": {"resourceType": "Patient", "id": patient_id, "birthDate": "1960-05-01"},
        "magnesium": bundle([severe(patient_id)]),
        **{key: bundle([]) for key in EMPTY},
    }
    context: Json = {"patientId": patient_id}
    if patched != "own subject":
        for who in ("subject", "patient"):
            if who in odd:
                odd[who] = {"reference": f"Patient/{patient_id}"}
        if type_ == "Patient":
            odd["id"] = patient_id
    if patched == "as magnesium":
        if type_ != "Observation":
            return None
        odd["code"] = {"coding": [{"system": "http://loinc.org", "code": "19123-9"}]}
        odd["effectiveDateTime"] = (NOW - timedelta(minutes=30)).isoformat()
        odd.pop("effectivePeriod", None)
    marker = "@odd@"
    placed: Any = marker if isinstance(odd, str) else odd
    if patched == "as draft":
        if type_ not in ("MedicationRequest", "MedicationOrder", "ServiceRequest"):
            return None
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": placed}]}
    elif OURS.get(type_) in ("patient", "encounter"):
        prefetch[OURS[type_]] = placed
        if patched == "own subject" and type_ == "Patient" and isinstance(odd, dict):
            context["patientId"] = odd.get("id") or patient_id
            prefetch["magnesium"] = bundle([severe(context["patientId"])])
    else:
        key = OURS.get(type_, "magnesium")
        prefetch.setdefault(key, bundle([]))
        prefetch[key]["entry"].append({"resource": placed})
    request = {
        "hook": "order-sign" if patched == "as draft" else "patient-view",
        "hookInstance": "trial",
        "context": context,
        "prefetch": prefetch,
    }
    return json.dumps(request).encode().replace(f'"{marker}"'.encode(), raw)


def hl7_cases(data: Path, tally: Tally) -> list[str]:
    manifest = json.loads((data / "hl7-cases" / "manifest-cdshooks.json").read_text())
    lines = []
    for case in manifest:
        path = data / "hl7-cases" / "cases" / Path(case["file"]).name
        if not case["logical"]["format"].endswith("CDSHooksRequest") or not path.exists():
            continue
        good = "bad" not in case["name"]
        lines.append(_expect(path, tally, good=good))
    return lines


def sandbox_requests(data: Path, tally: Tally) -> list[str]:
    lines = []
    for path in _files(data / "sandbox-requests"):
        if "hook" in json.loads(path.read_bytes()):
            lines.append(_expect(path, tally, good=True, now=CAPTURED))
    return lines


def _expect(path: Path, tally: Tally, *, good: bool, now: datetime = NOW) -> str:
    """200 when the Patient is carried, else 412; a message called bad may also be a 400."""
    request = json.loads(path.read_bytes())
    patient_id = str(request["context"]["patientId"]).split("/")[-1]
    carried = any(
        r["resourceType"] == "Patient" and r.get("id") in (patient_id, None)
        for r in [*resources(request.get("prefetch")), *resources(request["context"])]
    )
    status, cards, told = call(
        path.read_bytes(), SERVICE_OF_HOOK[request["hook"]], tally, path.name, now
    )
    expected = {200} if carried else {200, 412}
    verdict = "good" if good else "bad"
    if status not in expected and not (status == 400 and not good):
        tally.faults.append(f"{path.name}: {status}, Patient {'carried' if carried else 'absent'}")
    card = f": {cards[0]['summary']}" if cards else f": {told}" if status != 200 else ""
    return f"{path.name} ({verdict}, Patient {'carried' if carried else 'absent'}): {status}{card}"
