"""Outcomes and upkeep: what became of the cards, counted; the store pruned, checked, copied."""

from __future__ import annotations

import csv
import io
import sqlite3
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from service.cli import main
from service.memory.explain import explain_call
from service.memory.outcomes import Selection, read_outcomes, wilson
from service.server.upkeep import UpkeepError, backup, check, prune, read_age
from service.store.tables import feedback, shown
from tests import databases
from tests.contract.shapes import request
from tests.test_memory import CLINIC, Instance
from tests.tokens import ISSUER
from tests.vignette import NOW, build_request

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
RULE = {"code": "renal-plan-agreed", "system": "urn:repletion:override-reason"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Instance]:
    if request.param == "sqlite":
        instance = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
        yield instance
        instance.close()
    else:
        with databases.postgres() as url:
            instance = Instance(url, tmp_path)
            yield instance
            instance.close()


def fill(one: Instance) -> None:
    """Six cards to ISSUER in two weeks (2 accepted, 1 overridden, 1 both, 2 ignored), one to
    CLINIC; one hushed; feedback of strangers."""

    def card(n: int) -> str:
        found = one.cards(request(fhirServer=f"https://{n}.example.org"))
        return str(found[0]["uuid"])

    cards = [card(n) for n in range(3)]
    one.now += timedelta(days=7)
    cards += [card(n) for n in range(3, 6)]
    one.answer(cards[0], "accepted")
    one.answer(cards[1], "accepted")
    one.answer(cards[2], overrideReason={"reason": RULE})
    one.answer(cards[3], "accepted")
    one.now += timedelta(minutes=1)
    one.answer(cards[3])
    assert one.cards(request(fhirServer="https://3.example.org")) == []
    one.answer(cards[4], issuer=CLINIC)
    one.answer(str(uuid4()))
    one.cards(build_request("order-sign", "Mg 1.1 mg/dL | draft: MgSO4 9 g IV over 9 h"))
    one.cards(request(), issuer=CLINIC)
    one.now += timedelta(hours=1)


def test_what_became_of_the_cards(one: Instance) -> None:
    fill(one)
    found = read_outcomes(one.store)
    sections = {section.by: {t.name: t for t in section.tallies} for section in found.sections}
    tally = sections["rule and indicator"]["H10", "warning"]
    assert (tally.shown, tally.accepted, tally.overridden, tally.ignored) == (7, 2, 2, 3)
    assert tally.reasons == {"renal-plan-agreed": 1, "": 1}
    assert sections["rule and indicator"]["D4", "critical"].shown == 1
    assert sum(t.hushed for t in sections["rule and indicator"].values()) >= 1
    assert sections["tenant"][ISSUER, "-"].shown == 7
    assert sections["tenant"][CLINIC, "-"].shown == 1
    assert [t.shown for t in sections["week"].values()] == [3, 5]
    monday = NOW.date() - timedelta(days=NOW.weekday())
    assert list(sections["week"]) == [
        (day.isoformat(),) for day in (monday, monday + timedelta(days=7))
    ]
    assert found.unplaced == {"foreign": 1, "unknown": 1}
    assert sum(t.shown for t in sections["protocol"].values()) == 8
    assert sum(t.shown for t in sections["service"].values()) == 8
    late = read_outcomes(one.store, Selection(NOW + timedelta(days=1)))
    assert sum(t.shown for t in late.sections[0].tallies) == 5
    rows = list(csv.DictReader(io.StringIO(found.as_csv())))
    (row,) = [r for r in rows if r["group"] == "H10 warning"]
    assert (row["shown"], row["overridden: renal-plan-agreed"]) == ("7", "1")
    assert float(row["low"]) < 2 / 7 < float(row["high"])
    assert "28.6 % (8.2 to 64.1)" in found.as_text()


def test_a_repeated_call_counts_once(one: Instance) -> None:
    for _ in range(3):
        one.send("magnesium-patient-view", request())
    assert one.memory.flush()
    (tally,) = read_outcomes(one.store).sections[0].tallies
    assert tally.shown == 1
    assert len(one.rows(shown)) == 3


def test_the_page_shows_a_client_its_own(one: Instance) -> None:
    fill(one)
    from tests.test_memory import BASE, ec, signed

    at = int(one.now.timestamp())
    claims = {"iss": CLINIC, "aud": f"{BASE}/outcomes", "iat": at, "exp": at + 300, "jti": "p"}
    token = signed({"alg": "ES384", "typ": "JWT", "kid": "clinic-ec"}, claims, ec("clinic"))
    page = one.client.get("/outcomes", headers={"Authorization": f"Bearer {token}"})
    assert page.status_code == 200
    assert CLINIC in page.text
    assert ISSUER not in page.text
    assert one.client.get("/outcomes").status_code == 401


def test_why_did_it_say_that(one: Instance) -> None:
    (card,) = one.cards(request())
    one.answer(card["uuid"], overrideReason={"reason": RULE, "userComment": "Mrs Sample"})
    (row,) = one.rows(shown)
    from service.config.protocol import load_protocol

    told = "\n".join(explain_call(one.store, row.correlation, load_protocol("standard")))
    assert "shown, warning, rule H10" in told
    assert "severe" in told
    assert "overridden, Renal plan agreed" in told
    assert row.protocol_hash in told
    assert "Sample" not in told
    other = load_protocol("slow-infusion")
    assert "is another" in "\n".join(explain_call(one.store, row.correlation, other))
    assert explain_call(one.store, "0" * 32, other) == []


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (48, 1000, 0.0364, 0.0631),
        (1, 2, 0.0945, 0.9055),
    ],
)
def test_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    share, *ends = wilson(hits, of)
    assert share == hits / of
    assert ends == pytest.approx([low, high], abs=0.0002)


# --- upkeep ---------------------------------------------------------------------------------


def test_prune_deletes_what_is_old_and_nothing_else(one: Instance) -> None:
    fill(one)
    before = (len(one.rows(shown)), len(one.rows(feedback)))
    assert prune(one.store, NOW) == {"shown": 0, "feedback": 0, "unrecognised": 0}
    assert prune(one.store, NOW + timedelta(days=1)) == {
        "shown": 3,
        "feedback": 0,
        "unrecognised": 0,
    }
    assert (len(one.rows(shown)), len(one.rows(feedback))) == (before[0] - 3, before[1])
    gone = prune(one.store, one.now + timedelta(days=1))
    assert gone == {"shown": before[0] - 3, "feedback": before[1], "unrecognised": 0}


@pytest.mark.parametrize("age", ["", "90", "0d", "d", "-3d", "90 d"])
def test_an_age_is_a_number_of_days(age: str) -> None:
    with pytest.raises(ValueError, match="number of days"):
        read_age(age)


def test_check(one: Instance) -> None:
    one.cards(request())
    assert "shown: 1 rows" in list(check(one.store))


def test_a_backup_is_whole_and_private(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    one.cards(request())
    copy = tmp_path / "copy.db"
    backup(one.store, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(UpkeepError, match="File exists"):
        backup(one.store, copy)
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM shown").fetchone() == (1,)
    connection.close()
    one.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    one.store.write(lambda c: c.execute(text("PRAGMA writable_schema=ON")))
    for _ in range(50):
        one.answer(str(uuid4()))
    one.store.read(lambda c: c.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all())
    one.close()
    path = tmp_path / "store.db"
    content = bytearray(path.read_bytes())
    content[-9000:-5000] = b"\xff" * 4000
    path.write_bytes(content)
    result = CliRunner().invoke(
        main, ["store", "check"], env={"REPLETION_DATABASE_URL": f"sqlite:///{path}"}
    )
    assert result.exit_code == 2
    assert "damaged" in result.output or "did not do it" in result.output


def test_the_commands(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path)
    one.cards(request())
    (row,) = one.rows(shown)
    one.close()
    env = {"REPLETION_DATABASE_URL": f"sqlite:///{tmp_path}/store.db"}

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, list(arguments), env=env)
        return result.exit_code, result.output

    assert "H10" in run("outcomes")[1]
    assert run("outcomes", "--csv")[1].startswith("by,group,shown")
    assert "rule H10" in run("outcomes", "--correlation", row.correlation)[1]
    assert run("outcomes", "--correlation", "x")[0] == 2
    assert "whole" in run("store", "check")[1]
    assert "written" in run("store", "backup", str(tmp_path / "b.db"))[1]
    assert run("store", "prune", "--older-than", "x")[0] == 2
    assert run("store", "prune", "--older-than", "36500d") == (
        0,
        "shown: 0 rows deleted\nfeedback: 0 rows deleted\nunrecognised: 0 rows deleted\n",
    )
    env["REPLETION_DATABASE_URL"] = f"sqlite:///{tmp_path}/none.db"
    assert run("outcomes")[0] == 2
    assert not (tmp_path / "none.db").exists()
