"""Evidence of a request: read, empty, or a gap with its reason (protocol section 0)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from cards.evidence import NEED, NEEDS, Evidence
from cards.fhir.resource import Entry, Resource
from cards.protocol import Protocol, shipped
from service.cdshooks.request import HookRequest, read_hook
from service.gather import Fetched, Fetches, Wanted, fetch_nothing, gather, holds_enough
from tests.contract.shapes import (
    SERVICE,
    Json,
    ago,
    body,
    bundle,
    changed,
    draft,
    lab,
    magnesium,
    patient,
    request,
    without,
)

STANDARD = shipped("standard")
SEARCHES = [n.name for n in NEEDS if not n.single]
LABS = [n.name for n in NEEDS if n.labs]
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x"}]}
NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


def gathered(value: Json, protocol: Protocol = STANDARD) -> Evidence:
    return gather(read_hook(body(value), SERVICE[value["hook"]]), protocol)[0]


def under(key: str, value: Any) -> Evidence:
    return gathered(changed(request(), f"prefetch/{key}", value))


def reason(evidence: Evidence, need: str) -> str:
    return evidence.gaps[need].reason


def test_a_whole_prefetch_has_no_gap() -> None:
    evidence = gathered(request())
    assert not evidence.gaps
    assert evidence.patient is not None
    assert [r.id for r in evidence.lab("magnesium")] == ["19123-9-2"]


def test_orders_are_the_question_of_the_call() -> None:
    hook = read_hook(body(request("order-select")), "magnesium-order-select")
    orders = gather(hook, STANDARD)[1]
    assert (orders.hook, orders.service) == ("order-select", "magnesium-order-select")
    assert orders.drafts == hook.drafts
    assert orders.user_id == "Practitioner/d1"


@pytest.mark.parametrize("need", SEARCHES)
def test_an_empty_bundle_is_read(need: str) -> None:
    assert not under(need, {"resourceType": "Bundle"}).gaps
    assert not under(need, bundle()).gaps


@pytest.mark.parametrize("need", SEARCHES)
def test_an_absent_key_is_a_gap(need: str) -> None:
    evidence = gathered(without(request(), f"prefetch/{need}"))
    assert set(evidence.gaps) == {need}
    assert reason(evidence, need) == "not in the request, and no FHIR server to ask"


@pytest.mark.parametrize("need", [n.name for n in NEEDS])
def test_an_operation_outcome_is_a_gap(need: str) -> None:
    for value in (OUTCOME, bundle(OUTCOME), {"response": {"status": "500"}, "resource": OUTCOME}):
        evidence = under(need, value)
        assert reason(evidence, need) == "the record answered with an error"


@pytest.mark.parametrize("need", SEARCHES)
def test_null_under_a_search(need: str) -> None:
    evidence = under(need, None)
    if need in LABS:
        assert not evidence.gaps  # read, and empty
    else:
        assert reason(evidence, need) == "the record answered null"


def test_null_under_a_single_read_is_a_fact() -> None:
    assert not under("encounter", None).gaps
    evidence = under("patient", None)
    assert evidence.patient is None
    assert not evidence.gaps


def test_without_an_encounter_in_context_there_is_none_to_read() -> None:
    value = without(without(request(), "prefetch/encounter"), "context/encounterId")
    assert reason(gathered(value), "encounter") == "the request names no encounter"


@pytest.mark.parametrize("key", ["patientToGreet", "conditions"])
def test_a_single_read_may_come_under_any_key(key: str) -> None:
    value = without(request(), "prefetch/patient")
    value["prefetch"][key] = bundle(patient())
    evidence = gathered(value)
    assert evidence.patient is not None
    assert "patient" not in evidence.gaps


def test_another_patient_under_a_key_of_the_clients_own_is_set_aside() -> None:
    value = without(request(), "prefetch/patient")
    value["prefetch"]["mine"] = patient("p2")
    evidence = gathered(value)
    assert evidence.patient is None
    assert "patient" in evidence.gaps
    assert [s.resource for s in evidence.set_aside] == ["Patient/p2"]


@pytest.mark.parametrize(
    ("need", "value"),
    [
        ("magnesium", patient()),
        ("magnesium", bundle(patient())),
        ("conditions", bundle(magnesium(1.0, 3))),
        ("encounter", patient()),
        ("encounter", bundle(magnesium(1.0, 3))),
        ("medications", {"x": 1}),
    ],
)
def test_a_wrong_type_is_a_gap_and_still_evidence(need: str, value: Any) -> None:
    evidence = under(need, value)
    assert NEED[need].type in reason(evidence, need)


def test_a_resource_where_a_bundle_belongs_is_read() -> None:
    evidence = under("magnesium", magnesium(1.3))
    assert not evidence.gaps
    assert len(evidence.lab("magnesium")) == 1


@pytest.mark.parametrize("value", ["<xml/>", 7, [magnesium()]])
def test_what_is_no_resource_is_a_gap(value: Any) -> None:
    assert reason(under("magnesium", value), "magnesium") == "what was sent is not a FHIR resource"


def test_a_10_wrapper_is_opened() -> None:
    evidence = under("magnesium", {"response": {"status": "200"}, "resource": bundle(magnesium())})
    assert not evidence.gaps
    assert len(evidence.lab("magnesium")) == 1


def test_a_batch_answer_is_opened() -> None:
    evidence = under("magnesium", bundle(bundle(magnesium()), bundle(magnesium(1.4, 9))))
    assert len(evidence.lab("magnesium")) == 2


def test_keys_of_the_clients_own_are_evidence_but_answer_no_need() -> None:
    value = without(request(), "prefetch/magnesium")
    value["prefetch"]["labs"] = bundle(magnesium())
    evidence = gathered(value)
    assert set(evidence.gaps) == {"magnesium"}
    assert len(evidence.lab("magnesium")) == 1


def test_one_bad_entry_is_unread_and_no_gap() -> None:
    evidence = under("magnesium", bundle(magnesium(), magnesium(1, 3, status=5)))
    assert not evidence.gaps
    assert [lost.need for lost in evidence.unread] == ["magnesium"]


def test_a_medication_among_the_drafts_and_a_urn_subject() -> None:
    result = magnesium(1.0, 3) | {"subject": {"reference": "urn:uuid:1"}}
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": patient()},
        {"fullUrl": "urn:uuid:2", "resource": result},
    ]
    medication = {"resourceType": "Medication", "id": "m1"}
    value = request("order-sign", draft(), medication)
    value["prefetch"]["all"] = {"resourceType": "Bundle", "entry": entries}
    evidence = gathered(value)
    assert len(evidence.lab("magnesium")) == 2
    assert [r.id for r in evidence.of_type("Medication")] == ["m1"]


# --- next pages ---------------------------------------------------------------------------


def page(count: int, *, hours: float = 1) -> list[Json]:
    return [magnesium(1.5, 1 + i * hours, id=f"m{i}") for i in range(count)]


def test_a_next_page_is_a_gap() -> None:
    for need in SEARCHES:
        evidence = under(need, bundle(link=NEXT))
        assert reason(evidence, need) == "more pages exist than were sent"


def test_a_full_lab_page_newest_first_is_all_that_was_asked_for() -> None:
    assert not under("magnesium", bundle(*page(20), link=NEXT)).gaps
    assert "magnesium" in under("magnesium", bundle(*page(19), link=NEXT)).gaps


def test_a_full_page_in_another_order_may_hide_the_newest() -> None:
    assert "magnesium" in under("magnesium", bundle(*page(20)[::-1], link=NEXT)).gaps
    undated = [*page(19), without(magnesium(), "effectiveDateTime")]
    assert "magnesium" in under("magnesium", bundle(*undated, link=NEXT)).gaps


def test_a_full_page_of_periods() -> None:
    results = [
        without(r, "effectiveDateTime") | {"effectivePeriod": {"end": r["effectiveDateTime"]}}
        for r in page(20)
    ]
    assert not under("magnesium", bundle(*results, link=NEXT)).gaps


def test_other_links_are_no_next_page() -> None:
    assert not under("magnesium", bundle(magnesium(), link=[{"relation": "self"}])).gaps


# --- fetching -----------------------------------------------------------------------------


class Server:
    """A FHIR server that answers what it is given, and remembers what it was asked."""

    def __init__(self, **answers: Fetched) -> None:
        self.answers = answers
        self.asked: tuple[Wanted, ...] = ()
        self.referred: frozenset[str] = frozenset()
        self.medications: tuple[Entry, ...] = ()

    def __call__(
        self, request: HookRequest, wanted: tuple[Wanted, ...], references: frozenset[str]
    ) -> Fetches:
        self.asked, self.referred = wanted, references
        return Fetches(self.answers, self.medications)


def fetched(*resources: Resource, gap: str | None = None) -> Fetched:
    return Fetched(tuple(Entry(resource=r) for r in resources), gap=gap)


def observation(id_: str) -> Resource:
    hook = read_hook(
        body(changed(request(), "prefetch/magnesium", magnesium(id=id_))), "magnesium-patient-view"
    )
    found = hook.prefetch["magnesium"]
    assert found is not None
    return found


def ask(value: Json, server: Server) -> Evidence:
    return gather(read_hook(body(value), SERVICE[value["hook"]]), STANDARD, fetch=server)[0]


def test_only_what_is_missing_is_fetched_in_one_call() -> None:
    server = Server()
    value = without(without(request(), "prefetch/weight"), "prefetch/encounter")
    ask(value, server)
    assert [w.need.name for w in server.asked] == ["weight", "encounter"]
    weight, encounter = (w.query for w in server.asked)
    assert weight.startswith("Observation?patient=p1&code=http://loinc.org|29463-7")
    assert encounter == "Encounter/e1"
    assert "{{" not in weight + encounter
    server = Server()
    ask(request(), server)
    assert not server.asked


def test_what_is_fetched_fills_the_gap_and_replaces_what_was_sent() -> None:
    value = changed(request(), "prefetch/magnesium", bundle(magnesium(id="sent"), link=NEXT))
    evidence = ask(value, Server(magnesium=fetched(observation("got"))))
    assert not evidence.gaps
    assert [r.id for r in evidence.lab("magnesium")] == ["got"]


def test_a_failed_fetch_says_why_and_keeps_what_came() -> None:
    value = without(request(), "prefetch/magnesium")
    evidence = ask(value, Server(magnesium=fetched(observation("got"), gap="too late")))
    assert reason(evidence, "magnesium") == "too late"
    assert len(evidence.lab("magnesium")) == 1
    paged = changed(request(), "prefetch/magnesium", bundle(magnesium(), link=NEXT))
    evidence = ask(paged, Server(magnesium=fetched(gap="too late")))
    assert reason(evidence, "magnesium") == "more pages exist than were sent"


def test_a_null_search_is_asked_again() -> None:
    value = changed(request(), "prefetch/magnesium", None)
    server = Server(magnesium=fetched(observation("got")))
    evidence = ask(value, server)
    assert [w.need.name for w in server.asked] == ["magnesium"]
    assert len(evidence.lab("magnesium")) == 1
    assert not ask(value, Server(magnesium=fetched(gap="forbidden"))).gaps


@pytest.mark.parametrize("need", ["magnesium", "conditions", "encounter"])
def test_a_null_that_the_server_cannot_confirm_is_not_believed(need: str) -> None:
    value = changed(request(), f"prefetch/{need}", None)
    evidence = ask(value, Server(**{need: Fetched(gap="late", failed=True)}))
    assert set(evidence.gaps) == {need}


def test_medications_that_came_with_a_page_that_is_replaced_are_kept() -> None:
    value = request()
    value["prefetch"]["medications"] = bundle(
        ordered("1", "Medication/came"), {"resourceType": "Medication", "id": "came"}, link=NEXT
    )
    server = Server(medications=fetched(Resource(resourceType="MedicationRequest", id="2")))
    evidence = ask(value, server)
    assert not server.referred
    assert [r.id for r in evidence.of_type("Medication")] == ["came"]
    assert [r.id for r in evidence.of_type("MedicationRequest")] == ["2"]


@pytest.mark.parametrize("need", ["patient", "encounter"])
def test_a_null_read_is_asked_again(need: str) -> None:
    value = changed(request(), f"prefetch/{need}", None)
    server = Server(**{need: fetched(Resource(resourceType=NEED[need].type, id="p1"))})
    evidence = ask(value, server)
    assert [w.need.name for w in server.asked] == [need]
    assert not evidence.gaps
    assert (evidence.patient is not None) == (need == "patient" or "patient" in value["prefetch"])
    assert not ask(value, Server(**{need: fetched(gap="late")})).gaps  # a fact: there is none


def test_a_null_patient_that_came_under_another_key_is_not_asked_for() -> None:
    value = changed(request(), "prefetch/patient", None)
    value["prefetch"]["mine"] = patient()
    server = Server()
    ask(value, server)
    assert not server.asked


def test_nothing_is_fetched_for_an_order_of_no_relevance() -> None:
    amoxicillin = draft("723", "Amoxicillin")
    server = Server()
    ask(without(request("order-select", amoxicillin), "prefetch/magnesium"), server)
    assert not server.asked
    ask(without(request("order-select"), "prefetch/magnesium"), server)
    assert [w.need.name for w in server.asked] == ["magnesium"]


@pytest.mark.parametrize(
    "id_", ["p1&_count=1", "p1?x", "p 1", "p1#", "%2e%2e", "..;", "p1\r\nHost: evil", "p\u00e4"]
)
def test_an_id_cannot_end_the_path_or_begin_a_parameter(id_: str) -> None:
    value = request(prefetch={})
    value["context"] |= {"patientId": id_, "encounterId": id_}
    server = Server()
    ask(value, server)
    for wanted in server.asked:
        assert wanted.query.isascii()
        assert not set(wanted.query) & set(" \r\n#")
        assert wanted.query.count("?") == (not wanted.need.single)
    assert len({w.query.count("&") for w in server.asked if w.need.name == "conditions"}) == 1


def test_another_patients_results_that_were_sent_are_set_aside() -> None:
    """Ruling 1: not used, counted and named. From the server itself they are a gap (test_ehr)."""
    evidence = under("magnesium", bundle(magnesium(subject={"reference": "Patient/p2"})))
    assert not evidence.gaps
    assert not evidence.lab("magnesium")
    assert [s.reason for s in evidence.set_aside] == ["belongs to another patient"]


# --- Medications referred to --------------------------------------------------------------


def ordered(id_: str, reference: str, **more: Any) -> Json:
    order = draft(id=id_, status="active", medicationReference={"reference": reference}, **more)
    return without(order, "medicationCodeableConcept")


def test_references_that_nothing_resolves_are_asked_for() -> None:
    value = request("order-sign", ordered("d1", "Medication/a"))
    value["prefetch"]["medications"] = bundle(
        ordered("1", "Medication/b"),
        ordered("2", "Medication/c/_history/4"),
        ordered("3", "#here"),
        ordered("4", "urn:uuid:1"),
        ordered("5", "https://ehr.example.org/fhir/Medication/d"),
        ordered("6", "Medication/came"),
        {"resourceType": "Medication", "id": "came"},
    )
    server = Server()
    server.medications = (Entry(resource=Resource(resourceType="Medication", id="b")),)
    evidence = ask(value, server)
    assert not server.asked
    assert server.referred == {
        "Medication/a",
        "Medication/b",
        "Medication/c/_history/4",
        "https://ehr.example.org/fhir/Medication/d",
    }
    assert {r.id for r in evidence.of_type("Medication")} == {"b", "came"}
    assert not ask(request("order-sign", draft(medicationReference=7)), server).gaps


# --- enough -------------------------------------------------------------------------------


def test_a_page_of_other_results_is_not_enough() -> None:
    wanted = Wanted(NEED["platelets"], "Observation?patient=p1&code=http://loinc.org|777-3")
    mine = [lab("777-3", 200, "10*3/uL", h) for h in (1, 2, 3)]
    theirs = [r | {"subject": {"reference": "Patient/p2"}} for r in mine]
    others = [magnesium(1.5, h, id=f"o{h}") for h in (1, 2, 3)]
    for results, enough in ((mine, True), (theirs, False), (others, False), (mine[:2], False)):
        found = ask(changed(request(), "prefetch/mine", bundle(*results)), Server())
        entries = [Entry(resource=r) for r in found.lab("platelets") or found.lab("magnesium")]
        assert holds_enough(wanted, entries, "p1") is enough


def test_the_reasons_of_a_service_that_asks_nobody() -> None:
    value = without(request(), "prefetch/conditions")
    assert reason(gathered(value), "conditions").endswith("no FHIR server to ask")
    value["fhirServer"] = "https://ehr.example.org/fhir"
    assert reason(gathered(value), "conditions").endswith("server not allowed")
    hook = read_hook(body(value), "magnesium-patient-view")
    wanted = (Wanted(NEED["weight"], "x"),)
    assert fetch_nothing(hook, wanted).needs["weight"].gap


def test_site_codes_are_read_and_asked_for() -> None:
    class Site:
        site_labs = MappingProxyType({("urn:lab", "MG"): "magnesium"})
        drug_lists: ClassVar[dict[str, Any]] = {}

    value = changed(request(), "prefetch/magnesium", bundle(lab("x", 1.1, "mg/dL")))
    result = value["prefetch"]["magnesium"]["entry"][0]["resource"]
    result["code"] = {"coding": [{"system": "urn:lab", "code": "MG"}]}
    site: Any = Site()
    assert len(gathered(value, site).lab("magnesium")) == 1
    server = Server()
    hook = read_hook(body(without(request(), "prefetch/magnesium")), "magnesium-patient-view")
    gather(hook, site, fetch=server)
    assert "urn:lab|MG" in server.asked[0].query


def test_times_of_the_shapes_are_readable() -> None:
    assert ago(2) == "2026-03-01T06:00:00Z"
