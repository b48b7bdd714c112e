"""Memory: what is kept, feedback that is never lost, and what stays quiet, over two instances."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Table, event, select

from service.config.settings import Settings, SettingsError
from service.memory import Memory, Pseudonyms, read_key
from service.memory.writer import Writer
from service.observe import Observer, metrics
from service.server.app import create_app
from service.store import Store, StoreDown, open_store
from service.store.tables import feedback, shown
from tests import databases
from tests.contract.shapes import magnesium, patient, request
from tests.tokens import BASE, ISSUER, PATIENTS_KEY, ec, signed, write_clients
from tests.vignette import NOW, build_request

Json = dict[str, Any]
VIEW = "magnesium-patient-view"
CLINIC = "https://clinic.example.org"
pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
    else:
        with databases.postgres() as found:
            yield found


class Instance:
    """One instance of the service on a database, its clock, and clients that call it."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.now, self.out, self.store = NOW, io.StringIO(), open_store(url)
        given: dict[str, Any] = {
            "auth": "jwt",
            "clients": write_clients(folder),
            "base_url": BASE,
            "secret": PATIENTS_KEY,
        }
        self.app = create_app(
            Settings(**given | settings),
            now=lambda: self.now,
            observer=Observer(self.out),
            store=self.store,
        )
        self.client: FlaskClient = self.app.test_client()

    @property
    def memory(self) -> Memory:
        found = self.app.extensions["memory"]
        assert isinstance(found, Memory)
        return found

    def send(self, path: str, value: Json, issuer: str = ISSUER, tenant: str | None = None) -> Any:
        path = f"/cds-services/{path}"
        at = int(self.now.timestamp())
        claims: Json = {"iss": issuer, "aud": BASE + path, "iat": at, "exp": at + 300}
        claims |= {"jti": str(uuid4())} | ({} if tenant is None else {"tenant": tenant})
        name = "ehr" if issuer == ISSUER else "clinic"
        header = {"alg": "ES384", "typ": "JWT", "kid": f"{name}-ec"}
        token = signed(header, claims, ec(name))
        return self.client.post(path, json=value, headers={"Authorization": f"Bearer {token}"})

    def cards(self, value: Json, **who: Any) -> list[Json]:
        """The cards of a call with a hookInstance of its own."""
        value = value | {"hookInstance": str(uuid4())}
        answered = self.send(f"magnesium-{value['hook']}", value, **who)
        assert answered.status_code == 200, answered.data
        assert self.memory.flush()
        found: list[Json] = answered.get_json()["cards"]
        return found

    def answer(self, card: str, outcome: str = "overridden", **more: Any) -> Any:
        who = {k: more.pop(k) for k in ("issuer", "tenant") if k in more}
        given = self.item(card, outcome, **more)
        return self.send(f"{VIEW}/feedback", {"feedback": [given]}, **who)

    def item(self, card: str, outcome: str = "overridden", **more: Any) -> Json:
        item = {"card": card, "outcome": outcome, "outcomeTimestamp": self.now.isoformat()}
        if outcome == "accepted":
            item["acceptedSuggestions"] = [{"id": str(uuid4())}]
        return item | more

    def rows(self, table: Table) -> list[Any]:
        return list(self.store.read(lambda c: c.execute(select(table)).all()))

    def close(self) -> None:
        self.store.engine.dispose()
        self.memory.close()


@pytest.fixture
def one(url: str, tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(url, tmp_path)
    yield instance
    instance.close()


@pytest.fixture
def two(url: str, tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(url, tmp_path)
    yield instance
    instance.close()


# --- the quiet period -----------------------------------------------------------------------


def test_overridden_at_one_is_quiet_at_the_other(one: Instance, two: Instance) -> None:
    (card,) = one.cards(request())
    assert two.cards(request())  # an answer starts the quiet, not the showing
    assert one.answer(card["uuid"]).status_code == 200
    assert two.cards(request()) == []
    assert one.cards(request()) == []
    assert [row.state for row in one.rows(shown)] == ["shown", "shown", "hushed", "hushed"]
    two.now += timedelta(hours=24)
    assert two.cards(request())


def test_a_newer_result_speaks_again(one: Instance) -> None:
    (card,) = one.cards(request())
    one.answer(card["uuid"])
    new = request()
    new["prefetch"]["magnesium"]["entry"].append({"resource": magnesium(1.1, 0.5)})
    assert one.cards(new)


def test_a_result_without_an_id_is_never_taken_for_another(one: Instance) -> None:
    value = request()
    del value["prefetch"]["magnesium"]["entry"][0]["resource"]["id"]
    (card,) = one.cards(value)
    one.answer(card["uuid"])
    assert one.cards(value)


def test_accepted_and_unseen_speaks_again_after_an_hour(one: Instance) -> None:
    moderate = build_request("patient-view", "Mg 1.4 mg/dL")
    (card,) = one.cards(moderate)
    one.answer(card["uuid"], "accepted")
    one.now += timedelta(minutes=59)
    assert one.cards(moderate) == []
    one.now += timedelta(minutes=1)
    assert one.cards(moderate)


def test_accepted_and_unseen_never_silences_a_severe_level(one: Instance) -> None:
    """Its card stays, without the drug that was accepted, for that hour (ruling 149)."""

    def drugs(card: Json) -> bool:
        return "MedicationRequest" in json.dumps(card.get("suggestions", []))

    severe = build_request("patient-view", "Mg 1.1 mg/dL")
    (card,) = one.cards(severe)
    assert drugs(card)
    one.answer(card["uuid"], "accepted")
    one.now += timedelta(minutes=20)
    (again,) = one.cards(severe)
    assert again["indicator"] == card["indicator"] == "critical"
    assert "accepted 20 min ago here; not seen in the record yet" in again["detail"]
    assert not drugs(again)
    one.now += timedelta(minutes=40)
    assert drugs(one.cards(severe)[0])


def test_the_last_answer_to_a_card_counts(one: Instance) -> None:
    (card,) = one.cards(request())
    one.answer(card["uuid"])
    one.now += timedelta(minutes=1)
    one.answer(card["uuid"], "accepted")
    one.now += timedelta(hours=2)
    assert one.cards(request())


def test_another_clients_override_silences_nothing(one: Instance) -> None:
    (card,) = one.cards(request())
    assert one.answer(card["uuid"], issuer=CLINIC).status_code == 200
    assert one.answer(card["uuid"], tenant="south").status_code == 200
    assert one.cards(request())
    assert {row.standing for row in one.rows(feedback)} == {"foreign"}
    # Nor does it take the place of the answer of whom it was shown to.
    assert one.answer(card["uuid"]).status_code == 200
    assert one.cards(request()) == []


def test_one_id_at_two_tenants_is_two_patients(one: Instance) -> None:
    (card,) = one.cards(request(), tenant="north")
    one.answer(card["uuid"], tenant="north")
    assert one.cards(request(), tenant="north") == []
    assert one.cards(request(), tenant="south")
    assert one.cards(request(), issuer=CLINIC, tenant="north")
    rows = one.rows(shown)
    assert len({row.patient for row in rows}) == 3
    assert len({row.result for row in rows}) == 3


def test_without_a_tenant_a_patient_is_of_its_fhir_server(one: Instance) -> None:
    (card,) = one.cards(request(fhirServer="https://a.example.org/r4/"))
    one.answer(card["uuid"])
    assert one.cards(request(fhirServer="https://a.example.org/r4")) == []
    assert one.cards(request(fhirServer="https://b.example.org/r4"))


def test_a_d4_override_does_not_silence_the_next_16_g(one: Instance) -> None:
    def order(grams: str, minutes: int) -> Json:
        drafted = f"draft: MgSO4 {grams} g IV over {minutes} min"
        return build_request("order-sign", f"Mg 1.1 mg/dL | {drafted}")

    first = order("8.01", 300)
    (card,) = one.cards(first)
    assert card["source"]["topic"]["code"] == "D4"
    one.answer(card["uuid"])
    assert one.cards(first) == []  # the identical draft
    (again,) = one.cards(order("16", 240))
    assert again["indicator"] == "critical"
    assert one.cards(order("8.01", 301))


def test_an_override_is_of_the_draft_that_was_shown(one: Instance) -> None:
    """The same hookInstance, the same draft id: the same uuid, for another dose."""
    small = build_request("order-sign", "Mg 1.1 mg/dL | draft: MgSO4 8.01 g IV over 300 min")
    large = build_request("order-sign", "Mg 1.1 mg/dL | draft: MgSO4 16 g IV over 240 min")
    same = {"hookInstance": str(uuid4())}

    def sent(value: Json) -> list[Json]:
        found = one.send("magnesium-order-sign", value | same).get_json()["cards"]
        assert one.memory.flush()
        return list(found)

    (card,) = sent(small)
    one.now += timedelta(seconds=5)
    one.answer(card["uuid"])
    one.now += timedelta(seconds=5)
    (other,) = sent(large)
    assert other["uuid"] == card["uuid"]
    one.now += timedelta(seconds=5)
    assert sent(large)
    assert sent(small) == []


def test_a_hook_instance_for_two_patients_is_believed_of_neither(one: Instance) -> None:
    """With no result on file nothing else tells their cards apart."""
    first = build_request(
        "order-select", "Mg None | draft: Magnesium Sulfate (RxNorm 6585) 2 g IV over 2 h"
    )
    second = json.loads(json.dumps(first).replace('"p1"', '"p2"').replace("t/p1", "t/p2"))
    for value in (first, second):
        answered = one.send("magnesium-order-select", value | {"hookInstance": "1"})
        (card,) = answered.get_json()["cards"]
    assert one.memory.flush()
    one.answer(card["uuid"])
    assert one.cards(first)
    assert one.cards(second)


def test_a_clients_clock_may_be_wrong(one: Instance) -> None:
    (card,) = one.cards(request())
    ahead = (one.now + timedelta(hours=3)).isoformat()
    one.answer(card["uuid"], outcomeTimestamp=ahead)
    assert one.cards(request()) == []
    one.now += timedelta(hours=24)
    assert one.cards(request())


# --- shadow ---------------------------------------------------------------------------------


def test_shadow_stores_what_it_would_have_shown(url: str, tmp_path: Path) -> None:
    instance = Instance(url, tmp_path, mode="shadow")
    assert instance.cards(request()) == []
    (row,) = instance.rows(shown)
    assert (row.state, row.rule, row.indicator) == ("shadow", "H10", "warning")
    instance.close()


# --- feedback -------------------------------------------------------------------------------


def test_many_items_and_the_same_one_many_times(one: Instance) -> None:
    (card,) = one.cards(request())
    once = one.item(card["uuid"])
    upper = once | {"card": card["uuid"].upper()}
    zulu = once | {"outcomeTimestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
    unknown = one.item(str(uuid4()), "accepted")
    items = [once, once, upper, zulu, unknown]
    for _ in range(3):
        assert one.send(f"{VIEW}/feedback", {"feedback": items}).status_code == 200
    rows = {row.card: row for row in one.rows(feedback)}
    assert len(one.rows(feedback)) == 2
    assert rows[card["uuid"]].standing == "known"
    assert rows[unknown["card"]].standing == "unknown"
    assert len(rows[unknown["card"]].suggestions) == 36


def test_one_bad_item_of_many_costs_only_itself(one: Instance) -> None:
    items = [one.item(str(uuid4())) for _ in range(4)]
    items[1] = {"card": "x"}
    items[2]["outcomeTimestamp"] = "2026-02-31T08:00:00Z"
    refused = one.send(f"{VIEW}/feedback", {"feedback": items})
    assert refused.status_code == 400
    assert "/feedback/1" in refused.text
    assert "/feedback/2/outcomeTimestamp" in refused.text
    assert "/feedback/0" not in refused.text
    assert len(one.rows(feedback)) == 2


def test_a_great_many_items(one: Instance) -> None:
    items = [one.item(str(uuid4())) for _ in range(1_800)]
    assert one.send(f"{VIEW}/feedback", {"feedback": items}).status_code == 200
    assert len(one.rows(feedback)) == 1_800


def test_the_same_items_at_once_in_any_order(one: Instance, two: Instance) -> None:
    items = [one.item(str(uuid4())) for _ in range(200)]

    def post(call: int) -> int:
        value = {"feedback": items if call % 2 else items[::-1]}
        status: int = (one, two)[call % 2].send(f"{VIEW}/feedback", value).status_code
        return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(24))) == {200}
    assert len(one.rows(feedback)) == 200


def test_reasons_and_comments(one: Instance) -> None:
    (card,) = one.cards(request())
    ours = {"code": "renal-plan-agreed", "system": "urn:repletion:override-reason"}
    theirs = {"code": "x7", "system": "urn:theirs", "display": "Mrs Sample said no"}
    one.answer(card["uuid"], overrideReason={"reason": ours, "userComment": "Mrs Sample is well"})
    one.now += timedelta(seconds=1)
    one.answer(card["uuid"], overrideReason={"reason": theirs})
    first, second = sorted(one.rows(feedback), key=lambda row: row.outcome_at)
    assert (first.reason, second.reason) == ("renal-plan-agreed", "client's own")
    names = Pseudonyms(PATIENTS_KEY.encode())
    assert names.open(first.sealed) == {"comment": "Mrs Sample is well"}
    assert names.open(second.sealed) == theirs
    assert Pseudonyms(b"another key of tests").open(first.sealed) is None
    assert "Sample" not in one.out.getvalue()


# --- the database is down ---------------------------------------------------------------------


def counted(name: str) -> float:
    lines = [x for x in metrics().decode().splitlines() if x.startswith(name)]
    return sum(float(line.split()[-1]) for line in lines)


def test_the_database_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.memory.writer._AGAIN_S", 0.01)
    settings = {"auth": "open", "clients": None, "base_url": None}
    instance = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path, **settings)
    card = str(uuid4())
    instance.close()
    for path in tmp_path.glob("store.db*"):
        path.unlink()
    (tmp_path / "store.db").mkdir()
    lost, unknown = counted("repletion_shown_lost"), counted("repletion_quiet_unknown")
    assert instance.cards(request())
    assert counted("repletion_shown_lost") == lost + 1
    assert counted("repletion_quiet_unknown") == unknown + 1
    assert instance.answer(card).status_code == 503
    assert '"store":"down"' in instance.out.getvalue()
    (tmp_path / "store.db").rmdir()
    open_store(f"sqlite:///{tmp_path}/store.db").engine.dispose()
    assert instance.answer(card).status_code == 200
    assert instance.cards(request())
    assert len(instance.rows(shown)) == 1
    instance.close()


def test_a_fault_of_ours_costs_no_card(one: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("Zq9-secret")

    lost, unknown = counted("repletion_shown_lost"), counted("repletion_quiet_unknown")
    monkeypatch.setattr(Pseudonyms, "patient", fail)
    assert one.cards(request())
    assert counted("repletion_shown_lost") == lost + 1
    assert counted("repletion_quiet_unknown") == unknown + 1
    assert '"error":"RuntimeError"' in one.out.getvalue()
    assert "Zq9" not in one.out.getvalue()


def test_the_question_of_a_hook_uses_the_indexes(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    asked: list[tuple[str, Any]] = []
    event.listen(
        one.memory._quick.engine,
        "before_cursor_execute",
        lambda _c, _k, statement, parameters, *_: asked.append((statement, parameters)),
    )
    (card,) = one.cards(request())
    one.answer(card["uuid"])
    one.cards(request())
    asked = [(s, p) for s, p in asked if s.startswith("SELECT")]
    assert len(asked) == 3  # one each, and whose else the card is when there is an answer
    for statement, parameters in asked:
        plan = one.store.read(
            lambda c, s=statement, p=parameters: c.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {s}", p
            ).all()
        )
        assert not [row for row in plan if row[-1].startswith("SCAN")], plan
    one.close()


def test_the_queue_is_bounded_and_never_waits() -> None:
    lost: list[tuple[int, str]] = []
    stored: list[int] = []

    def write(rows: Any) -> None:
        stored.extend(row["n"] for row in rows)

    writer = Writer(write, lambda rows, why: lost.append((rows, why)), held=5)
    writer._start = lambda: None  # type: ignore[method-assign]
    writer.put([{"n": n} for n in range(8)])
    assert lost == [(1, "full")] * 3
    del writer._start
    writer.put([{"n": 8}])
    assert writer.flush()
    assert stored[:5] == [0, 1, 2, 3, 4]


def test_what_cannot_be_stored_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.memory.writer._AGAIN_S", 0.001)
    lost: list[tuple[int, str]] = []
    faults: list[Exception] = [StoreDown("x")] * 3 + [ValueError("x"), StoreDown("x")]

    def write(rows: Any) -> None:
        if faults:
            raise faults.pop(0)

    writer = Writer(write, lambda rows, why: lost.append((rows, why)))
    for expected in ([(1, "down")], [(1, "down"), (1, "fault")]):
        writer.put([{"n": 1}])
        assert writer.flush()
        assert lost == expected
    writer.put([{"n": 1}])  # a second try
    assert writer.flush()
    assert len(lost) == 2


# --- the key --------------------------------------------------------------------------------


def test_in_open_mode_a_key_is_made_and_kept(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    key = read_key(Settings(), store)
    assert len(key) == 64
    assert read_key(Settings(), store) == key
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(Settings(secret="x" * 16), store) == b"x" * 16
    path.write_text("short")
    with pytest.raises(SettingsError, match="holds no key"):
        read_key(Settings(), store)


def test_in_jwt_mode_it_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs REPLETION_SECRET"):
        read_key(Settings(auth="jwt"), Store(f"sqlite:///{tmp_path}/store.db"))


# --- a copied file ----------------------------------------------------------------------------


def test_a_copied_database_tells_nobody_who_it_is(tmp_path: Path) -> None:
    instance = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    value = json.loads(json.dumps(request()).replace("p1", "Zq9x7-4711"))
    value["prefetch"]["patient"] = patient("Zq9x7-4711") | {"name": [{"family": "Zq9x7-Sample"}]}
    value["prefetch"]["magnesium"]["entry"][0]["resource"] |= {
        "id": "Zq9x7-result",
        "valueQuantity": {"value": 1.0731, "unit": "mg/dL"},
    }
    order = build_request("order-sign", "Mg 1.1 mg/dL | draft: MgSO4 8.01 g IV over 300 min")
    order = json.loads(json.dumps(order).replace("draft-0", "Zq9x7-draft"))
    (card,) = instance.cards(value)
    instance.cards(order)
    reason = {"code": "Zq9x7", "display": "Zq9x7"}
    given = {"reason": reason, "userComment": "Zq9x7"}
    assert instance.answer(card["uuid"], overrideReason=given).status_code == 200
    assert instance.cards(value) == []
    assert len(instance.rows(shown)) == 3
    files = list(tmp_path.glob("store.db*"))
    content = b"".join(path.read_bytes() for path in files)
    assert card["uuid"].encode() in content  # it was looked for in the right place
    for needle in (b"Zq9x7", b"1.0731", b"8.01", b"Sample", b"Practitioner", b"d1577c69"):
        assert needle not in content
    instance.close()


def test_times_are_kept_to_the_microsecond() -> None:
    from service.memory.memory import micros

    moment = datetime(2026, 3, 1, 8, 0, 0, 123457, tzinfo=UTC)
    assert datetime.fromtimestamp(micros(moment) / 1_000_000, UTC) == moment
