"""A patient Bundle made into a CDS Hooks request, as a record would send it.

What the Bundle does not hold counts as not on file: it is taken as the whole record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cards import codes
from cards.evidence import NEED_OF_LAB, NEED_OF_TYPE, NEEDS

Json = dict[str, Any]
_BESIDE = "beside"  # the prefetch key of what no need asks for by itself (Medication, Specimen)


class BundleError(ValueError):
    """The Bundle cannot be made into a request; ``str()`` says why, without a word of it."""


def request_of(bundle: Json, hook: str | None) -> tuple[Json, tuple[str, ...]]:
    """(the request, remarks about how it was made). ``hook`` None: order-select when a draft
    order is in the Bundle, else patient-view. Raises BundleError."""
    entries = list(_entries(bundle))
    patients = [e for e in entries if e["resource"].get("resourceType") == "Patient"]
    if len(patients) != 1:
        found = "no Patient" if not patients else f"{len(patients)} Patients"
        raise BundleError(f"The Bundle holds {found}: a request is about one.")
    patient = dict(patients[0]["resource"])
    id_ = patient.setdefault("id", _id_of(patients[0]))
    drafts = [e["resource"] for e in entries if _is_draft(e["resource"])]
    hook = hook or ("order-select" if drafts else "patient-view")
    prefetch: Json = {need.name: _bundle() for need in NEEDS if not need.single}
    for entry in entries:
        if entry["resource"].get("resourceType") != "Patient" and not _is_draft(entry["resource"]):
            prefetch.setdefault(_key(entry["resource"]), _bundle())["entry"].append(entry)
    encounter = _encounter(prefetch.pop("encounter", _bundle())["entry"])
    # With its fullUrl, by which subjects of the form urn:uuid: are recognised.
    prefetch["patient"] = _bundle([patients[0] | {"resource": patient}])
    if encounter is not None:
        prefetch["encounter"] = encounter
    context: Json = {"userId": "Practitioner/workbench", "patientId": id_}
    if encounter is not None and isinstance(encounter.get("id"), str):
        context["encounterId"] = encounter["id"]
    if hook != "patient-view":
        context["draftOrders"] = _bundle([{"resource": d} for d in drafts], "collection")
        if hook == "order-select":
            context["selections"] = [f"MedicationRequest/{d['id']}" for d in drafts if d.get("id")]
    remarks = ["Made from a Bundle, taken as the whole record: what is not in it is not on file."]
    if drafts and hook == "patient-view":
        remarks.append(f"Draft orders left out at this hook: {len(drafts)}.")
    return {
        "hookInstance": str(uuid5(NAMESPACE_URL, f"urn:repletion:workbench:{id_}")),
        "hook": hook,
        "context": context,
        "prefetch": prefetch,
    }, tuple(remarks)


def _bundle(entries: list[Json] | None = None, type_: str = "searchset") -> Json:
    return {"resourceType": "Bundle", "type": type_, "entry": entries or []}


def _entries(bundle: Json) -> Iterator[Json]:
    """Entries that hold a resource, also those of Bundles inside."""
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        if resource.get("resourceType") == "Bundle":
            yield from _entries(resource)
        else:
            yield {key: entry[key] for key in ("fullUrl", "resource") if key in entry}


def _id_of(entry: Json) -> str:
    url = entry.get("fullUrl")
    return url.rpartition("/")[2].rpartition(":")[2] if isinstance(url, str) and url else "patient"


def _is_draft(resource: Json) -> bool:
    return resource.get("resourceType") == "MedicationRequest" and resource.get("status") == "draft"


def _key(resource: Json) -> str:
    """The prefetch key under which a record would send a resource."""
    type_ = resource.get("resourceType")
    if type_ != "Observation":
        return NEED_OF_TYPE.get(type_, _BESIDE) if isinstance(type_, str) else _BESIDE
    for coding in codings(resource):
        lab = codes.lab_concept(coding[1])
        if lab is not None and codes.is_loinc(coding[0]):
            return NEED_OF_LAB[lab]
    return _BESIDE


def codings(resource: Json) -> Iterator[tuple[str, str]]:
    """(system, code) of the resource's ``code``, as far as it has the shape of one."""
    code = resource.get("code")
    found = code.get("coding") if isinstance(code, dict) else None
    for coding in found if isinstance(found, list) else ():
        if isinstance(coding, dict):
            system, value = coding.get("system"), coding.get("code")
            if isinstance(system, str) and isinstance(value, str):
                yield system, value


def _encounter(entries: list[Json]) -> Json | None:
    """The one in progress, the latest of several."""
    found = [e["resource"] for e in entries if e["resource"].get("status") == "in-progress"]
    return max(found, key=_start, default=None)


def _start(encounter: Json) -> str:
    period = encounter.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    return start if isinstance(start, str) else ""
