"""The page of the protocol: every number with unit, sources and why; the statements; the file."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from cards import codes
from cards.assessment import stops
from cards.handbook import check, sheet
from cards.handbook.ledger import VERDICTS, ledger
from cards.handbook.rows import Column, Row, Table
from cards.handbook.spoken import interval
from cards.handbook.sums import sums
from cards.protocol import (
    PROFILES,
    Protocol,
    anchor,
    build_protocol,
    cited_anchor,
    parse_protocol,
    shipped,
)
from cards.protocol.anchors import UNREAD
from cards.protocol.faults import STOPS, cited
from cards.protocol.model import Band, Limit, Option, Product, Renal, When
from cards.protocol.rules import RULES, shown_rule
from cards.protocol.words import limits
from cards.units.quantity import plain
from service.cli import main
from service.pages.ledger import CHOICES, Filter
from tests.contract.shapes import request
from tests.html import Html
from tests.test_api import Bench
from tests.test_protocol import changed, raw
from tests.vignette import NOW

pytestmark = pytest.mark.loopback
SITE = Path(__file__).parent / "protocols" / "site.toml"
HOSTILE = '</td><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}" onclick="x\u202e'


def site() -> Protocol:
    return parse_protocol(SITE.read_bytes(), "site.toml")


@cache
def bench(hash_: str) -> Bench:
    return Bench(protocol=_BY_HASH[hash_])


_BY_HASH: dict[str, Protocol] = {}


def text_of(protocol: Protocol, query: str = "") -> str:
    _BY_HASH[protocol.hash] = protocol
    response = bench(protocol.hash).client.get(f"/protocol{query}")
    assert response.status_code == 200
    text: str = response.text
    return text


@cache
def _page(text: str) -> Html:
    return Html(text)


def page_of(protocol: Protocol | None = None, query: str = "") -> Html:
    return _page(text_of(protocol or shipped("standard"), query))


def ledger_of(query: str) -> Html:
    """The part of the page that differs from one query to the next."""
    text = text_of(shipped("standard"), query)
    section = text[text.index('<section class="panel" aria-labelledby="ledger">') :]
    return Html(section[: section.index("</section>") + len("</section>")])


PROTOCOLS = {
    "standard": shipped("standard"),
    "slow-infusion": shipped("slow-infusion"),
    "site": site(),
}


@pytest.fixture(scope="module", params=PROTOCOLS)
def shown(request: pytest.FixtureRequest) -> SimpleNamespace:
    protocol = PROTOCOLS[request.param]
    page = page_of(protocol)
    rows = {e.attributes["id"]: e.text for e in page.all("tr") if "id" in e.attributes}
    return SimpleNamespace(protocol=protocol, file=protocol.file, page=page, rows=rows)


# --- every number ------------------------------------------------------------------------------


def numbers(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every number of a model, with its path and the model it stands in."""
    for name in type(model).model_fields:
        yield from _numbers(getattr(model, name), (*path, name), model)


def _numbers(
    value: Any, path: tuple[str, ...], owner: BaseModel
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        yield from numbers(value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*path, key), owner)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, (*path, str(index)), owner)
    elif isinstance(value, Decimal | int) and not isinstance(value, bool):
        yield path, (owner, value)


def hours(minutes: Any) -> str:
    whole, rest = divmod(int(minutes), 60)
    return f"{whole} h" if whole and not rest else f"{minutes} min"


def told(owner: BaseModel, key: str, value: Any, unit: str) -> str:
    """How a number is to be read on the page, with its unit. A field that is not known here
    fails: nobody adds a number that the page leaves out."""
    number = plain(Decimal(value))
    kinds: dict[type[BaseModel], dict[str, str]] = {
        Band: {"low": str(value), "high": str(value)},
        Renal: {
            "start": f"{number} mL/min",
            "cap_g": f"{number} g",
            "cap_g_per_kg": f"{number} g/kg",
        },
        Product: {
            "unit_mg": f"{number} mg a unit",
            "elemental_mg": f"{number} mg of it magnesium",
            "round_to_mg": f"steps of {number} mg",
        },
        Option: {
            "dose": f"{number} {unit}",
            "then_dose": f"then {number} {unit}",
            "minutes": f"over {hours(value)}",
            "then_minutes": f"over {hours(value)}",
            "every_hours": f"every {number} h",
            "count": f"x {number}",
            "per_day": {1: "at night", 2: "twice daily"}.get(value, f"{number} times a day"),
        },
        When: {"weight_from": number, "weight_to": f"{number} kg"},
    }
    if isinstance(owner, Limit):
        return owner.said
    return kinds[type(owner)][key]


def row_of(shown: Any, path: tuple[str, ...]) -> str:
    """The row of the page that an entry of the file has."""
    table, name = path[0], path[1]
    if table in ("band", "renal", "regimen"):
        entry = getattr(shown.file, table)[int(name)]
        names = [getattr(e, {"band": "name"}.get(table, "id")) for e in getattr(shown.file, table)]
        own = names[int(name)]
        number = names[: int(name) + 1].count(own)
        assert entry is not None
        place = anchor(table, own) + (f"~{number}" if number > 1 else "")
    else:
        place = anchor(table, name)
    found: str = shown.rows[place]
    return found


def test_every_number_stands_in_its_row_with_its_unit(shown: Any) -> None:
    count = 0
    for path, (owner, value) in numbers(shown.file):
        unit = shown.file.product[owner.product].dose_unit if isinstance(owner, Option) else ""
        text = told(owner, path[-1], value, unit)
        assert text in row_of(shown, path), (path, text)
        count += 1
    assert count > 95


def test_every_entry_has_its_sources_statements_and_why(shown: Any) -> None:
    for path, entry in cited(shown.file):
        table, key = path
        if table in ("band", "renal", "regimen"):
            text = row_of(shown, (str(table), str(key)))
        elif table == "interaction":
            text = shown.rows[anchor(table, shown.file.interaction[key].drug)]
        else:
            text = shown.rows[anchor(str(table), key)]
        for needed in (*entry.sources, *entry.seeds, entry.why):
            assert needed in text, path


def test_every_word_and_row_of_the_file_is_shown(shown: Any) -> None:
    file, rows = shown.file, shown.rows
    for name, rule in file.rule.items():
        text = rows[anchor("rule", name)]
        assert rule.title in text
        for indicator in [rule.indicator] if isinstance(rule.indicator, str) else rule.indicator:
            assert indicator in text
    for name, stop in file.stop.items():
        text = rows[anchor("stop", name)]
        assert stop.title in text
        assert stop.says in text
        assert ("every drug" if stop.blocks == "all" else "IV and IM") in text
        assert ("exempt" in text) is stop.life_exempt
    for band in file.band:
        text = rows[anchor("band", band.name)]
        assert f"{interval(band)} mg/dL" in text
        assert f" {band.acts_as} {band.indicator} " in text
    for row in file.renal:
        text = rows[anchor("renal", row.id)]
        assert f" {row.intravenous} " in text
        assert f" {row.oral} " in text
        assert row.says in text
    for name, product in file.product.items():
        text = rows[anchor("product", name)]
        for needed in (product.text, product.diluent, *(c.code for c in product.codings)):
            assert needed in text
    for row in file.interaction:
        assert row.says in rows[anchor("interaction", row.drug)]
    for name in type(file.wording).model_fields:
        assert getattr(file.wording, name).text in rows[anchor("wording", name)]
    for index, row in enumerate(file.followup):
        text = rows[anchor("followup", index)]
        for recheck in row.recheck:
            amount_ = "".join(re.findall(r"\d+", recheck)) or "next morning"
            assert amount_ in text
    for key, source in file.sources.items():
        assert source in rows[anchor("source", key)]
    whole = shown.page.id("main").text
    for name in codes.NOT_DETECTED:
        assert name in whole


def test_every_drug_list_is_shown_as_it_counts() -> None:
    listed = {"group": "cause", "adds": ["carboplatin"], "removes": ["furosemide"], "why": "x"}
    tables = changed("drug_list", [{**listed, "sources": ["A"]}])
    page = page_of(build_protocol(tables, "site.toml"))
    counted = page.id("drugs-cause").text
    assert "carboplatin" in counted
    assert "furosemide" not in counted
    assert "carboplatin" in page.id("drug_list-0").text
    standard = page_of()
    for group in ("qt-known", "qt-strong", "cause", "cause-tier2", "chelated", "ppi", "loop"):
        names = {drug.name for drug in codes.known_drugs() if group in drug.groups}
        assert standard.id(f"drugs-{group}").text.endswith(f" {group} {', '.join(sorted(names))}")


def test_the_drugs_of_a_site_stand_on_its_page() -> None:
    rows = [
        {"drug": "magnesium sulfate", "names": ["house bag"], "form": "parenteral",
         "mg_per_ml": 40, "codes": [{"system": "urn:house", "code": "47"}]},
        {"group": "qt-known", "names": ["rhythmol"]},
        {"drug": "magnesium oxide", "names": ["oxi"], "form": "oral", "mg": 250, "protocol": True},
    ]  # fmt: skip
    basis = {"sources": ["A"], "why": "our formulary"}
    page = page_of(build_protocol(changed("drug", [row | basis for row in rows]), "site.toml"))
    first = page.id("drug-0").text
    for said in ("magnesium sulfate", "house bag", "urn:house 47", "parenteral, 40 mg/mL"):
        assert said in first
    assert "qt-known" in page.id("drug-1").text
    assert "oral, 250 mg, replacement protocol" in page.id("drug-2").text


def test_the_head(shown: Any) -> None:
    head, page = shown.file.protocol, shown.page
    assert page.all("h1")[0].text == head.title
    whole = page.id("main").text
    for needed in (head.name, head.version, shown.protocol.hash, head.notice, str(head.reviewed)):
        assert needed in whole
    assert str(head.review_due) in whole
    for name in (*head.authors, *head.reviewers):
        assert name in whole
    assert bool(page.all("p", class_="relaxed")) is bool(shown.file.relaxed)
    for row in shown.file.relaxed:
        assert any(
            row.stop in p.text and row.reason in p.text and row.approver in p.text
            for p in page.all("p", class_="relaxed")
        )
    for remark in check(shown.protocol, NOW.date()):
        assert remark in whole or remark.startswith("site-relaxed: ")
    signed = any("Not signed" in p.text for p in page.all("p", class_="warning"))
    assert signed is not bool(head.reviewers)


def test_an_overdue_review_is_said_from_the_day_after() -> None:
    due = shipped("standard").review_due
    for day, overdue in ((due, False), (date.fromordinal(due.toordinal() + 1), True)):
        bench = Bench(now=NOW.replace(year=day.year, month=day.month, day=day.day))
        page = Html(bench.client.get("/protocol").text)
        assert any("overdue" in p.text for p in page.all("p", class_="critical")) is overdue


# --- places ------------------------------------------------------------------------------------


def citable(protocol: Protocol) -> set[str]:
    """Everything a card may name under "Rules" (cards/plan/plan.py)."""
    return {
        *map(shown_rule, RULES),
        *(stop.removesuffix("-unknown") for stop in STOPS),
        *UNREAD,
        *(row.id for row in protocol.file.regimen),
    }


def test_whatever_a_card_cites_has_a_place(shown: Any) -> None:
    for name in citable(shown.protocol):
        assert cited_anchor(shown.file, name) in shown.page.ids, name
    for name in set(RULES) | STOPS:
        assert cited_anchor(shown.file, name) in shown.page.ids, name
    with pytest.raises(KeyError):
        cited_anchor(shown.file, "D99")


def test_whatever_stops_a_drug_has_a_place() -> None:
    """As the code names it: a card that cites what has no place would be no card at all."""
    makers = {"Finding", "_stop", "_look", "unknown"}
    named = {
        call.args[0].value
        for call in ast.walk(ast.parse(Path(stops.__file__).read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in makers
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert {"H2", "accepted", "may-run", "possible-magnesium", "conditions-unknown"} <= named
    file = shipped("standard").file
    for name in sorted(named):
        assert cited_anchor(file, name.removesuffix("-unknown") if name not in STOPS else name)


def test_no_place_twice_and_no_link_into_nothing(shown: Any) -> None:
    assert [name for name, count in shown.page.ids.items() if count > 1] == []
    assert shown.page.inner_links <= set(shown.page.ids)
    assert len(shown.page.inner_links) > 100
    for name in shown.page.ids:
        assert not re.search(r"\s", name)


def test_names_that_look_alike_keep_places_of_their_own() -> None:
    tables = changed("sources.A B", "one")
    tables["sources"]["A-B"] = "other"
    tables["limit"]["quiet"]["sources"] = ["A B", "A-B"]
    found = [row.anchor for row in sheet(build_protocol(tables, "site.toml")).rows]
    assert found.count("source-A-B") == 1
    assert "source-A-B~2" in found


@pytest.mark.parametrize(
    "inputs",
    ["patient-view", "order-select", "order-sign"],
)
def test_the_links_of_cards_lead_to_their_rules(inputs: str) -> None:
    bench = Bench(base_url="http://127.0.0.1:8080/hooks")
    (card,) = bench.hook(request(inputs)).get_json()["cards"]
    urls = [link["url"] for link in card["links"]]
    assert card["source"]["url"] in urls
    named = re.findall(r"Rules: (.+?)\. Sources", card["detail"])[0].split(", ")
    assert [link["label"] for link in card["links"]] == [f"Protocol: {name}" for name in named]
    for url in [*urls, card["source"]["url"]]:
        parts = urlsplit(url)
        assert (parts.netloc, parts.path) == ("127.0.0.1:8080", "/hooks/protocol")
        page = Html(bench.client.get(f"/protocol?{parts.query}").text)
        assert parts.fragment in page.ids
        assert page.all("p", class_="notice")[0].text.startswith("Not signed")


def test_without_a_public_address_cards_have_no_links() -> None:
    (card,) = Bench().hook(request()).get_json()["cards"]
    assert "links" not in card
    assert "url" not in card["source"]


# --- which protocol ----------------------------------------------------------------------------


def test_a_shipped_profile_can_be_looked_at() -> None:
    page = page_of(query="?profile=slow-infusion")
    assert page.all("h1")[0].text == shipped("slow-infusion").title
    assert "Not in force here" in page.id("main").text
    assert page.all("tr", id="regimen-severe", class_="changed")
    assert not page.all("tr", id="limit-quiet", class_="changed")
    form = page.all("form")[0]
    assert form.attributes["action"] == "protocol#ledger"
    assert page.all("input", type="hidden", name="profile", value="slow-infusion")
    by_hash = page_of(query=f"?hash={shipped('slow-infusion').hash[:16]}")
    assert by_hash.all("h1")[0].text == shipped("slow-infusion").title
    assert "Not in force here" in by_hash.id("main").text
    same = page_of(shipped("slow-infusion"), "?profile=slow-infusion")
    assert "Not in force here" not in same.id("main").text
    assert page_of(query="?profile=nobodys").all("h1")[0].text == shipped("standard").title


def test_a_card_of_another_time_says_so() -> None:
    hash_ = shipped("standard").hash
    for query in ("", f"?hash={hash_}", f"?hash={hash_[:12]}"):
        assert "Another protocol was asked for" not in page_of(query=query).id("main").text
    for query in (f"?hash={'0' * 64}", f"?hash={hash_[:5]}", "?hash=%3Cscript%3E"):
        page = page_of(query=query)
        assert "Another protocol was asked for" in page.id("main").text
        assert page.all("h1")[0].text == shipped("standard").title
        assert "script" not in query or "%3Cscript" not in page.id("main").text


def test_a_clients_protocol_is_shown_to_who_has_its_hash() -> None:
    from flask import Flask

    from service.config.settings import Settings
    from service.observe import Observer
    from service.pages import add_pages
    from service.web import routes
    from service.web.service import Service

    app = Flask("clients")
    service = Service(
        settings=Settings(),
        protocol=shipped("standard"),
        now=lambda: NOW,
        observer=Observer(),
        protocols=(site(),),
    )
    routes.add_routes(app, service)
    add_pages(app, service)
    client = app.test_client()
    assert "Example Hospital" not in client.get("/protocol").text
    page = Html(client.get(f"/protocol?hash={site().hash[:16]}").text)
    assert page.all("h1")[0].text == site().title
    assert "A client's protocol" in page.id("main").text
    assert page.all("input", type="hidden", name="hash")


def test_it_is_rendered_once_and_asked_for_again() -> None:
    own = Bench()
    first = own.client.get("/protocol")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in first.headers["Content-Security-Policy"]
    again = own.client.get("/protocol", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert own.client.get("/protocol?q=push").headers["ETag"] != tag


@pytest.mark.real_clock
@pytest.mark.parametrize("query", ["", "?verdict=rejected", "?q=push&topic=parenteral"])
def test_it_is_there_in_50_ms(query: str) -> None:
    bench = Bench()
    bench.client.get("/protocol")  # rendered for the first time
    best = 1.0
    for _ in range(10):
        start = time.perf_counter()
        bench.client.get(f"/protocol{query}")
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


# --- what a site writes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "place", "says"),
    [
        ("limit.infusion_rate.value", 140, "limit-infusion_rate", "140 mg/min"),
        ("limit.oral_daily.value", Decimal("23.5"), "limit-oral_daily", "23.5 mmol"),
        ("renal.1.cap_g", 3, "renal-R1", "3 g"),
        ("regimen.1.offer.0.minutes", 25, "regimen-severe", "over 25 min"),
        ("rule.D7.title", "no need", "rule-D7", "no need"),
        ("stop.H8.says", "Ask the pharmacist.", "stop-H8", "Ask the pharmacist."),
        ("wording.antidote.text", "Calcium chloride.", "wording-antidote", "Calcium chloride."),
        ("followup.3.recheck", ["start+24h"], "followup-3", "24 h after the start"),
        ("interaction.0.says", "6 hours apart", "interaction-levothyroxine", "6 hours apart"),
        ("sources.UCSF", "UCSF, 2026", "source-UCSF", "UCSF, 2026"),
    ],
)
def test_a_changed_value_is_shown_and_marked(path: str, value: Any, place: str, says: str) -> None:
    standard = page_of()
    page = page_of(build_protocol(changed(path, value), "site.toml"))
    assert says not in standard.id(place).text
    assert says in page.id(place).text
    assert page.all("tr", id=place, class_="changed")
    assert not standard.all("tr", class_="changed")
    assert "limit-quiet" not in {e.attributes.get("id") for e in page.all("tr", class_="changed")}


def test_what_a_site_leaves_out_is_said() -> None:
    (said,) = page_of(site()).all("p", class_="left-out")
    regimens = "severe, regimen.parenteral, regimen.moderate-at-risk, regimen.gi-loss, regimen.oral"
    assert f"regimen.{regimens}, regimen.maintenance, followup." in said.text
    tables = raw()
    dropped = tables["interaction"].pop(0)["drug"]
    (said,) = page_of(build_protocol(tables, "site.toml")).all("p", class_="left-out")
    assert said.text == f"Left out of the standard profile: interaction.{dropped}."
    for name in PROFILES:
        assert not page_of(shipped(name)).all("p", class_="left-out")


def hostile() -> Protocol:
    tables = raw()
    head = tables["protocol"]
    for key in ("name", "version", "title", "notice"):
        head[key] = HOSTILE
    head["authors"], head["reviewers"] = [HOSTILE], [HOSTILE]
    tables["sources"][HOSTILE] = HOSTILE
    tables["limit"]["quiet"]["sources"] = [HOSTILE]
    for table in ("limit", "rule", "stop", "wording"):
        for entry in tables[table].values():
            entry["why"] = HOSTILE
            for key in ("title", "says", "text"):
                if key in entry:
                    entry[key] = HOSTILE
    for table in ("band", "renal", "regimen", "interaction"):
        for row in tables[table]:
            row["why"] = HOSTILE
            if "says" in row:
                row["says"] = HOSTILE
    tables["band"][0]["name"] = HOSTILE
    for row in tables["regimen"]:
        row["id"] = row["id"] + HOSTILE if row["id"] == "maintenance" else row["id"]
    for product in tables["product"].values():
        for key in ("substance", "text", "diluent"):
            product[key] = HOSTILE
        product["codings"][0]["display"] = HOSTILE
    tables["product"][HOSTILE] = tables["product"].pop("glycinate")
    tables["regimen"][-1]["offer"][0]["product"] = HOSTILE
    tables["relaxed"] = [{"stop": "H8", "approver": HOSTILE, "reason": HOSTILE}]
    code = {"lab": "magnesium", "system": "urn:x", "code": HOSTILE, "why": HOSTILE}
    tables["result"]["site_codes"] = [code]
    return build_protocol(tables, "site.toml")


def inert(page: Html, scripts: int) -> None:
    assert len(page.all("script")) == scripts
    assert page.all("img") == []
    for element in page.elements:
        assert not any(name.startswith("on") for name in element.attributes), element
    assert "49" not in page.id("limit-quiet").text


def test_hostile_text_in_a_file_is_inert() -> None:
    page = page_of(hostile())
    inert(page, 1)
    shown_text = " ".join(HOSTILE.split())
    for place in ("limit-quiet", "rule-D7", "stop-H2", "wording-ecg", "product-sulfate-iv"):
        assert shown_text in page.id(place).text
    assert page.all("h1")[0].text == shown_text
    assert page.inner_links <= set(page.ids)
    assert all("style" not in element.attributes for element in page.elements)


# --- the ledger ----------------------------------------------------------------------------------


def visible(page: Html) -> set[str]:
    return {
        element.attributes["id"].removeprefix("statement-")
        for element in page.all("tr")
        if element.attributes.get("id", "").startswith("statement-")
        and "hidden" not in element.attributes
    }


def test_every_statement_is_there_with_its_sums(shown: Any) -> None:
    assert visible(shown.page) == {statement.id for statement in ledger()}
    for statement in ledger():
        text = shown.rows[f"statement-{statement.id}"]
        for needed in (statement.fact, statement.reason, statement.verdict, *statement.entries):
            assert needed in text
        for line in sums(statement.id, shown.protocol):
            assert " ".join(line.split()) in text
    assert "125 of 125" in shown.page.id("ledger-count").text


def test_what_turned_on_arithmetic_shows_it() -> None:
    """Every rejected statement but the one that only names a wrong authority."""
    without = {
        s.id for s in ledger() if s.verdict == "rejected" and not sums(s.id, shipped("standard"))
    }
    assert without == {"S2-05"}


def test_the_filters() -> None:
    for name, choices in CHOICES.items():
        seen: set[str] = set()
        for value in choices:
            page = ledger_of(f"?{name}={value}")
            found = visible(page)
            assert found
            assert not found & seen
            seen |= found
            assert f"{len(found)} of 125" in page.id("ledger-count").text
            (chosen,) = [o for o in page.all("option", value=value) if "selected" in o.attributes]
            assert f"({len(found)})" in chosen.text
        assert seen == {statement.id for statement in ledger()}
    rejected = {s.id for s in ledger() if s.verdict == "rejected"}
    assert visible(ledger_of("?verdict=rejected")) == rejected
    both = visible(ledger_of("?verdict=rejected&article=S3"))
    assert both == {id_ for id_ in rejected if id_.startswith("S3")}
    assert visible(ledger_of("?q=1000+MG/min")) >= {"S3-05"}  # in its sums
    assert "S3-05" in visible(ledger_of("?q=push+1.2"))
    assert visible(ledger_of("?q=s2-19")) == {"S2-19"}
    none = ledger_of("?q=nobody+says+this")
    assert visible(none) == set()
    assert "hidden" not in none.id("ledger-none").attributes
    assert visible(ledger_of("?verdict=maybe&article=S9&topic=x")) == {s.id for s in ledger()}


def test_what_is_searched_for_is_kept_and_inert() -> None:
    page = page_of(query="?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    inert(page, 1)
    assert page.id("filter-q").attributes["value"] == '"><script>alert(1)</script>'
    assert len(Filter.of({"q": "x" * 5000}).q) == 100


def test_a_statement_knows_its_verdicts_and_leads_to_its_entries() -> None:
    page = page_of()
    for statement in ledger():
        assert statement.verdict in VERDICTS
        row = page.id(f"statement-{statement.id}")
        assert row.attributes["data-verdict"] == statement.verdict
    site_page = page_of(site())  # it drops regimens and follow-ups
    assert "regimen.oral (not in this file)" in site_page.id("statement-S1-01").text


SUM = re.compile(r"([\d.]+) [^=;:]*?(x|/) ([\d.]+)(?: [^=;:,]*?)? = ([\d.]+)")


def test_the_sums_are_right() -> None:
    """Each line of the form a x b = c, or a / b = c, is worked out again."""
    count = 0
    for statement in ledger():
        for line in sums(statement.id, shipped("standard")):
            for one, sign, other, result in SUM.findall(line):
                a, b, c = Decimal(one), Decimal(other), Decimal(result)
                exact = a * b if sign == "x" else a / b
                if " g, " in line and sign == "x":
                    exact /= 1000  # mg/kg x kg, told in g
                assert abs(exact - c) <= Decimal("0.051"), line
                count += 1
    assert count > 40


@pytest.mark.parametrize(
    ("id_", "needed"),
    [
        # From the review of the articles (its arithmetic column), not from the code.
        ("S0-09", ["17.5 g", "142 mEq", "72.9 mg/min", "8 g", "150 mg/min"]),
        ("S0-15", ["12.15 mg/dL", "4.86 mg/dL"]),
        ("S0-18", ["3.97 mmol", "96.5 mg", "6.58 mmol"]),
        ("S0-21", ["10 mmol", "30 mmol"]),
        ("S0-22", ["4.86 mg/dL", "6.08 mg/dL", "4.70"]),
        ("S1-02", ["291.7 mg", "483.6 mg", "583.3 mg"]),
        ("S1-24", ["2.19 mg/dL", "2.67 mg/dL", "1.46 mg/dL"]),
        ("S2-03", ["1.58 mg/dL"]),
        ("S2-15", ["16.46 mmol", "20.57 mmol"]),
        ("S3-05", ["1000 mg/min", "6.67 min", "13.33 min"]),
        ("S3-08", ["16.46 mmol", "24.69 mmol"]),
        ("S3-13", ["2.07 mg/dL"]),
    ],
)
def test_the_arithmetic_that_condemned_them(id_: str, needed: list[str]) -> None:
    text = page_of().id(f"statement-{id_}").text
    for part in needed:
        assert part in text


def test_a_sum_compares_with_the_protocol_that_is_shown() -> None:
    slower = build_protocol(changed("limit.infusion_rate.value", 140), "site.toml")
    assert "140 mg/min" in page_of(slower).id("statement-S3-05").text
    assert sums("S3-11", site()) == ("1 to 2 weeks = 168 to 336 h",)


# --- the file ------------------------------------------------------------------------------------


def show(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["protocol", "show", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.real_clock
def test_the_page_as_a_file_needs_nothing_else(tmp_path: Path) -> None:
    text = show("--html", str(SITE))
    page = Html(text)
    assert page.all("h1")[0].text == site().title
    for element in page.elements:
        assert "src" not in element.attributes
        assert element.tag not in ("link", "iframe", "object", "img")
        assert element.attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import", text)
    served = page_of(site())
    assert {i for i in page.ids if "-" in i} == {i for i in served.ids if "-" in i}
    for name in ("limit-quiet", "regimen-by-band", "statement-S0-01", "band-toxic"):
        assert page.id(name).text == served.id(name).text
    out = tmp_path / "protocol.html"
    assert f"{out} written" in show("--html", "--out", str(out), str(SITE))
    assert out.read_text() == text
    assert "written" in show("--out", str(tmp_path / "protocol.md"))
    assert (tmp_path / "protocol.md").read_text().startswith("# Magnesium repletion")
    refused = CliRunner().invoke(main, ["protocol", "show", "--out", str(tmp_path / "x" / "y")])
    assert refused.exit_code == 2
    assert "No such file" in refused.output


@pytest.mark.real_clock
def test_hostile_text_in_a_file_is_inert_in_the_page_as_a_file() -> None:
    from service.pages.sheet import standalone

    inert(Html(standalone(hostile(), date(2026, 12, 1), "1")), 1)


def test_a_table_checks_itself() -> None:
    with pytest.raises(ValueError, match="more or fewer cells"):
        Table("t", (Column("one"),), (Row("r", (("a",), ("b",))),))


def test_every_limit_stands_in_one_table_only() -> None:
    (section,) = [s for s in sheet(shipped("standard")).sections if s.anchor == "limits"]
    places = [str(row.cells[0][0]) for table in section.tables for row in table.rows]
    assert sorted(places) == sorted(place for place, _ in limits(shipped("standard").file))


def test_profiles_are_named() -> None:
    text = page_of().id("main").text
    for name in PROFILES:
        assert name in text
