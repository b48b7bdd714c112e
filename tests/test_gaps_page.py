"""The page of gaps: counted, without patient data, and ready for the site's file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cards.evidence import Unrecognised, has_code_shape
from cards.handbook import template
from cards.protocol import parse_protocol
from service.cli.cli import main
from service.memory import Pseudonyms
from service.memory.entry import SOURCE, elsewhere, site_entry
from service.memory.unrecognised import (
    ENOUGH,
    MOST,
    SHORT,
    Counted,
    Noted,
    read_unrecognised,
    write_unrecognised,
)
from service.observe import metrics
from service.server.upkeep import prune
from service.store import Store, StoreDown, open_store
from service.store.tables import unrecognised
from tests import databases
from tests.html import Html
from tests.test_memory import CLINIC, Instance
from tests.test_pages import PASSWORD, basic
from tests.vignette import NOW, build_request

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
Json = dict[str, Any]
LAB = "urn:oid:2.16.840.1.9999.7"
NAMES = Pseudonyms(b"k" * 32)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(f"sqlite:///{tmp_path}/store.db", tmp_path, auth="open")
    yield instance
    instance.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/noted.db"
        if request.param == "postgres":
            url = stack.enter_context(databases.postgres())
        opened = open_store(url)
        yield opened
        opened.engine.dispose()


def local(patient: str = "p1", code: str = "MG-S", text: str = "Mg Serum", **more: Any) -> Json:
    """A request whose only level comes under a laboratory's own code."""
    whole = json.dumps(build_request("patient-view", "Mg 1.1 mg/dL", **more))
    value: Json = json.loads(whole)
    old = value["context"]["patientId"]
    value = json.loads(
        whole.replace(f'"{old}"', f'"{patient}"').replace(f'/{old}"', f'/{patient}"')
    )
    for entry in value["prefetch"]["magnesium"]["entry"]:
        entry["resource"]["code"] = {"coding": [{"system": LAB, "code": code}], "text": text}
    return value


def note(store: Store, what: Unrecognised, *patients: str, client: str = "", at: int = 1) -> None:
    for patient in patients:
        noted = Noted(client, "", patient.encode().ljust(32), at, (what,))
        store.write(lambda c, n=noted: write_unrecognised(c, [n], NAMES))  # type: ignore[misc]


def page(one: Instance) -> Html:
    response = one.client.get("/gaps")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    return Html(response.text)


def kept(store: Store) -> list[Any]:
    from sqlalchemy import select

    return list(store.read(lambda c: c.execute(select(unrecognised)).all()))


# --- counting ------------------------------------------------------------------------------------


def test_what_a_hook_brought_stands_on_the_page(one: Instance) -> None:
    assert "Everything was recognised so far" in page(one).id("main").text
    one.cards(local())
    one.cards(local())
    (row,) = [row for row in read_unrecognised(one.store) if row.what.code == "MG-S"]
    assert (row.what.kind, row.what.system, row.what.unit) == ("result", LAB, "mg/dL")
    assert (row.calls, row.patients, row.last) == (2, 1, NOW.replace(microsecond=0))
    text = page(one).id("main").text
    assert LAB in text
    assert "MG-S" in text
    assert "Mg Serum" not in text
    assert "[[result.site_codes]]" in text
    assert "p1" not in text


def test_a_text_is_told_once_enough_patients_had_it(one: Instance) -> None:
    for number in range(1, ENOUGH):
        one.cards(local(f"q{number}", text="Mg Serum"))
        one.cards(local(f"q{number}", text=f"Level of patient {number}"))
    assert "Mg Serum" not in page(one).id("main").text
    assert b"Mg Serum" not in (one.store.file or Path()).read_bytes()
    assert all(row.what.text.startswith("#") for row in read_unrecognised(one.store))
    one.cards(local(f"q{ENOUGH}", text="Mg Serum"))
    text = page(one).id("main").text
    assert "Mg Serum" in text
    assert "5 or more" in text
    assert "Level of" not in text
    (row,) = [row for row in kept(one.store) if row.text == "Mg Serum"]
    assert (row.patients, row.seen, row.calls) == (ENOUGH, b"", ENOUGH)


def test_one_patient_counts_once_however_often(store: Store) -> None:
    what = Unrecognised("drug", text="MAG HOUSE BAG")
    note(store, what, *["a"] * 9, "b", "c", "d")
    (row,) = read_unrecognised(store)
    assert (row.calls, row.patients, row.what.text[0]) == (12, 4, "#")
    note(store, what, "a", "e")
    (row,) = read_unrecognised(store)
    assert (row.calls, row.patients, row.what.text) == (14, ENOUGH, "MAG HOUSE BAG")
    note(store, what, "f")
    assert read_unrecognised(store)[0].patients == ENOUGH


def test_a_text_is_shortened(store: Store) -> None:
    note(store, Unrecognised("drug", text="long " * 40), *"abcde")
    (row,) = read_unrecognised(store)
    assert row.what.text == ("long " * 40)[:SHORT]


@pytest.mark.parametrize("field", ["system", "code", "unit"])
def test_what_has_not_the_shape_of_a_code_is_kept_as_a_text_is(field: str, store: Store) -> None:
    what = Unrecognised("result", **{field: "Doe, Jane 1970\x00"})
    note(store, what, *"abcd")
    (row,) = read_unrecognised(store)
    assert getattr(row.what, field).startswith("#")
    assert row.entry is None
    note(store, what, "e")
    assert getattr(read_unrecognised(store)[0].what, field) == "Doe, Jane 1970"


def test_of_a_patient_two_rows_tell_nothing(store: Store) -> None:
    for code in ("A", "B"):
        note(store, Unrecognised("result", "urn:x", code), "a")
    first, second = kept(store)
    assert first.seen != second.seen
    assert b"a" * 8 not in first.seen


def test_rows_are_bounded_and_the_oldest_goes(store: Store) -> None:
    old = tuple(Unrecognised("result", "urn:x", str(n)) for n in range(MOST))
    for at, found in ((5, old[:1]), (1, old[1:2]), (3, old[2:])):
        call = Noted("c", "", b"p" * 32, at, found)
        store.write(lambda c, n=call: write_unrecognised(c, [n], NAMES))  # type: ignore[misc]
    note(store, Unrecognised("unit", unit="mval"), "a", client="c", at=9)
    note(store, Unrecognised("unit", unit="mval"), "a", client="other", at=0)
    rows = kept(store)
    assert len(rows) == MOST + 1
    assert {row.code for row in rows} == {"", *map(str, range(MOST))} - {"1"}


def test_it_is_pruned_with_the_rest(store: Store) -> None:
    note(store, Unrecognised("unit", unit="mval"), "a", at=1)
    assert prune(store, NOW)["unrecognised"] == 1
    assert not kept(store)


def test_two_that_count_the_same_at_once_lose_nothing(store: Store) -> None:
    """Two processes meet a new code in the same moment; each tries again as the writer does."""
    what = Unrecognised("result", "urn:x", "A")

    def count(patient: str) -> None:
        for left in reversed(range(5)):
            try:
                return note(store, what, patient)
            except StoreDown:
                if not left:
                    raise
                time.sleep(0.05)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, "abcd"))
    (row,) = read_unrecognised(store)
    assert (row.calls, row.patients) == (4, 4)


def test_the_worst_text_costs_no_time() -> None:
    worst = ("a" * 100_000, "a " * 50_000, "http://" + "a" * 100_000, "urn:" * 25_000)
    started = time.perf_counter()
    assert not any(has_code_shape(text) for text in worst)
    assert time.perf_counter() - started < 0.02


# --- the way there -------------------------------------------------------------------------------


def test_the_log_line_and_the_metrics_count_by_kind(one: Instance) -> None:
    one.cards(local())
    line = json.loads(one.out.getvalue().splitlines()[-1])
    assert line["unrecognised"] == {"result": 1}
    assert LAB not in one.out.getvalue()
    assert b'repletion_unrecognised_total{kind="result"}' in metrics()
    one.cards(build_request("patient-view", "Mg 1.1 mg/dL"))
    assert "unrecognised" not in json.loads(one.out.getvalue().splitlines()[-1])


def test_a_store_that_is_down_costs_no_hook_and_is_counted(
    one: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Any) -> None:
        raise StoreDown("x")

    monkeypatch.setattr(one.store, "write", down)
    monkeypatch.setattr("service.memory.writer._AGAIN_S", 0)
    before = metrics().count(b'repletion_shown_lost_total{reason="down"}')
    started = time.perf_counter()
    response = one.client.post("/cds-services/magnesium-patient-view", json=local())
    assert response.status_code == 200
    assert time.perf_counter() - started < 1
    assert one.memory.flush()
    assert metrics().count(b'repletion_shown_lost_total{reason="down"}') >= before
    lost = [x for x in metrics().splitlines() if x.startswith(b"repletion_shown_lost_total")]
    assert any(b"down" in line and float(line.split()[-1]) >= 1 for line in lost)


def test_shadow_mode_counts_too(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/s.db", tmp_path, auth="open", mode="shadow")
    one.cards(local())
    assert [row.what.code for row in read_unrecognised(one.store)] == ["MG-S"]
    one.close()


def test_in_jwt_mode_it_is_behind_the_password(tmp_path: Path) -> None:
    one = Instance(f"sqlite:///{tmp_path}/j.db", tmp_path, pages_password=PASSWORD)
    one.cards(local())
    one.cards(local(code="OTHER"), issuer=CLINIC)
    asked = one.client.get("/gaps")
    assert asked.status_code == 401
    assert asked.headers["WWW-Authenticate"].startswith("Basic ")
    assert one.client.get("/gaps", headers=basic("wrong")).status_code == 401
    shown = one.client.get("/gaps", headers=basic(PASSWORD)).text
    assert "MG-S" in shown
    assert "OTHER" in shown
    mine = read_unrecognised(one.store, (CLINIC, ""))
    assert [row.what.code for row in mine] == ["OTHER"]
    one.close()


def test_hostile_names_are_inert(one: Instance) -> None:
    bad = '"><script>alert(1)</script>'
    what = Unrecognised("drug", "urn:" + bad, bad, bad, bad)
    note(one.store, what, *"abcde")
    read = page(one)
    assert read.all("script") == []
    assert "<script>" in read.id("main").text
    assert all(not n.startswith("on") for e in read.elements for n in e.attributes)


# --- into the site's file ------------------------------------------------------------------------

KINDS = [
    Unrecognised("result", LAB, "MG-S", "Mg Serum", "mmol/L"),
    Unrecognised("result", LAB, "MG-S"),
    Unrecognised("unit", LAB, "MG-S", 'a "quoted" \\ text\x7f\n', "mval"),
    Unrecognised("drug", LAB, "4711", "MAG-S HOUSE 40"),
    Unrecognised("drug", "http://www.nlm.nih.gov/research/umls/rxnorm", "99999999"),
    Unrecognised("drug", text="Zaubertrank 500"),
    Unrecognised("drug", LAB, "1", "Magnesium sulfate 2 g"),
    Unrecognised("drug", LAB, "2", "mg"),
    Unrecognised("drug", text="word " * 20),
    Unrecognised("drug", LAB, "3", "x" * 60),
]


@pytest.mark.parametrize("what", KINDS, ids=lambda w: f"{w.kind} {w.code} {w.text[:12]!r}")
def test_an_entry_is_accepted_as_it_is(what: Unrecognised) -> None:
    entry = site_entry(what)
    assert entry is not None
    source = SOURCE if what.kind == "drug" else ""
    text = template("ours", NOW.date(), short=True) + "\n" + source + "\n" + entry
    protocol = parse_protocol(text.encode(), "ours")
    file = protocol.file
    if what.kind in ("result", "unit"):
        (code,) = file.result.site_codes
        assert (code.system, code.code) == (LAB, "MG-S")
        assert code.unit == ("mmol/L" if what.unit == "mmol/L" else None)
    else:
        (drug,) = file.drug
        assert [c.code for c in drug.codes] == ([what.code] if what.code else [])
        assert all(name in what.text for name in drug.names)


def test_all_entries_make_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    for what in KINDS:
        note(store, what, *"abcde")
    store.engine.dispose()
    monkeypatch.setenv("REPLETION_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    table = CliRunner().invoke(main, ["gaps"]).output
    assert "MAG-S HOUSE 40" in table
    assert "\x7f" not in table
    entries = CliRunner().invoke(main, ["gaps", "--entries"]).output
    site = tmp_path / "site.toml"
    site.write_text(template("ours", NOW.date(), short=True) + "\n" + entries)
    checked = CliRunner().invoke(main, ["protocol", "check", str(site)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (Unrecognised("result", "", "MG-S"), "LOINC"),
        (Unrecognised("unit", "LOCAL", "MG-S", unit="mval"), "LOINC"),
        (Unrecognised("drug", "LOCAL", "1"), "RxNorm"),
        (Unrecognised("condition", LAB, "X1", "something"), "SNOMED CT"),
        (Unrecognised("status", LAB, "DONE"), "FHIR"),
        (Unrecognised("timing", text="with the moon"), "Timing.repeat"),
    ],
)
def test_where_the_file_has_no_place_it_says_what_to_do(what: Unrecognised, says: str) -> None:
    assert site_entry(what) is None
    assert says in elsewhere(what)


def test_a_hash_is_no_name() -> None:
    row = Counted(Unrecognised("drug", text="#0123456789ab"), "", 1, 1, NOW)
    assert row.entry is None
    assert "once 5 patients" in row.elsewhere
    coded = Counted(Unrecognised("drug", LAB, "1", "#0123456789ab"), "", 1, 1, NOW)
    assert coded.entry is not None
    assert "#0123456789ab" not in coded.entry


def test_a_mapped_code_is_read_the_next_time(tmp_path: Path) -> None:
    """From the page to the card: what the informaticist does in an afternoon."""
    site = tmp_path / "site.toml"
    entry = site_entry(Unrecognised("result", LAB, "MG-S", "Mg Serum", "mg/dL"))
    site.write_text(template("ours", NOW.date(), short=True) + "\n" + str(entry))
    one = Instance(f"sqlite:///{tmp_path}/m.db", tmp_path, auth="open", protocol=str(site))
    (card,) = one.cards(local())
    assert "severely low" in card["summary"]
    assert read_unrecognised(one.store) == ()
    one.close()
