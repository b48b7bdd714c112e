"""The workbench in a browser: a newcomer's path, a broken paste, what-if, answers, hostile text."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from cards.codes import SNOMED, code_set
from tests.contract.shapes import (
    FUROSEMIDE,
    bundle,
    draft,
    magnesium,
    now_request,
    prefetch,
)
from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.needs("chromium")
Json = dict[str, Any]
FIXTURES = Path("fixtures/hooks")


def paste(page: Page, text: str) -> None:
    """Puts a text into the field as a person does, and decides."""
    own = page.locator("#own")
    if own.get_attribute("open") is None:
        own.locator("summary").click()
    page.locator("#text").fill(text)
    settled(page, lambda: page.get_by_role("button", name="Decide", exact=True).click())


def settled(page: Page, act: Callable[[], object]) -> None:
    """Acts, and waits until the page shows what came of it."""
    page.evaluate(
        """() => {
            delete document.documentElement.dataset.shown;
            document.addEventListener("decided", () => {
                document.documentElement.dataset.shown = "yes";
            }, {once: true});
        }"""
    )
    act()
    page.locator("html[data-shown]").wait_for(state="attached")


def set_dial(page: Page, name: str, value: str) -> None:
    """Moves a slider as a hand does: each step tells the page."""
    slider = page.locator(f"input[type=range][data-of=dial-{name}]")
    settled(page, lambda: slider.fill(value))


def stored(visit: Visitor, table: str) -> list[sqlite3.Row]:
    connection = sqlite3.connect(visit.server.folder / "repletion.db", timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        connection.close()


# --- the newcomer -----------------------------------------------------------------------------


def test_a_newcomer_sees_a_card_at_once(visit: Visitor) -> None:
    page = visit()
    card = page.locator(".card")
    expect(card).to_have_count(1)
    expect(card.locator("h3")).to_contain_text("Magnesium 1.1 mg/dL is low")
    expect(card.locator(".badge").first).to_have_text("critical")
    expect(card.get_by_text("recommended", exact=True)).to_be_visible()
    expect(page.locator("svg[role=img]:visible")).to_have_count(1)
    expect(page.locator(".dot.decides:visible")).to_have_count(1)
    for stage in ("What was not read", "Facts", "Flags", "Stops", "Findings", "The exact JSON"):
        expect(page.get_by_role("heading", name=stage, exact=True)).to_be_visible()
    expect(page.locator("#plan-title + p")).to_contain_text("left 8 g")


def test_every_example_can_be_chosen_and_decides(visit: Visitor) -> None:
    page = visit()
    names = page.locator("#example option").evaluate_all("all => all.map(o => o.value)")
    assert len(names) == len(list(FIXTURES.glob("*.json"))) + 1
    for name in filter(None, names):
        settled(page, lambda name=name: page.locator("#example").select_option(name))
        response = json.loads((FIXTURES.parent / f"responses/{name}.json").read_text())
        expect(page.locator(".card")).to_have_count(len(response["cards"]))
        for card in response["cards"]:
            expect(page.locator(".card > header .badge")).to_have_text(card["indicator"])


def test_another_hook_and_another_protocol(visit: Visitor) -> None:
    page = visit("?example=severe-patient-view")
    settled(page, lambda: page.locator("#hook").select_option("order-select"))
    expect(page.locator(".nothing")).to_contain_text("No card")
    settled(page, lambda: page.locator("#hook").select_option("patient-view"))
    settled(page, lambda: page.locator("#profile").select_option("slow-infusion"))
    expect(page.locator(".said .title")).to_contain_text("slow-infusion")
    expect(page.locator(".accept").first).to_be_disabled()
    expect(page.locator(".card footer")).to_contain_text("this is another")


def test_a_drafted_order_of_the_form_is_judged(visit: Visitor) -> None:
    page = visit("?example=severe-patient-view")
    settled(page, lambda: page.locator("#hook").select_option("order-sign"))
    settled(page, lambda: page.locator("#order").select_option("mgso4"))
    settled(page, lambda: page.locator("#order-minutes").fill("5"))
    expect(page.locator(".notice.whatif")).to_contain_text("2 g over 5 min")
    expect(page.locator(".card h3")).to_contain_text("Magnesium sulfate")
    expect(page.get_by_role("link", name="D1", exact=True).first).to_be_visible()


# --- a request of one's own -------------------------------------------------------------------


def test_a_broken_paste_is_located_and_not_lost(visit: Visitor) -> None:
    page = visit()
    text = json.dumps(now_request(), indent=2)
    broken = text.replace('"hook": "patient-view",', '"hook": "patient-view"', 1)
    line = broken.split('"hook": "patient-view"')[0].count("\n") + 2
    paste(page, broken)
    problems = page.locator("#problems")
    expect(problems).to_contain_text("This is not JSON")
    expect(problems.locator(".goto")).to_contain_text(f"line {line}, column")
    assert page.locator("#text").input_value() == broken
    problems.locator(".goto").click()
    selected = page.locator("#text").evaluate("t => t.value.slice(0, t.selectionStart)")
    assert selected.count("\n") + 1 == line
    paste(page, text)
    expect(problems).to_be_empty()
    expect(page.locator(".card")).to_have_count(1)


def test_a_request_that_the_service_refuses_is_located(visit: Visitor) -> None:
    page = visit()
    value = now_request()
    value["context"]["patientId"] = 7
    text = json.dumps(value, indent=2)
    paste(page, text)
    problems = page.locator("#problems")
    expect(problems.locator(".pointer")).to_have_text("/context/patientId")
    line = text.split('"patientId"')[0].count("\n") + 1
    expect(problems.locator(".goto")).to_have_text(f"line {line}, column 18")
    expect(page.locator("#cards")).to_contain_text("HTTP 400")
    assert page.locator("#text").input_value() == text


def test_a_bundle_becomes_a_request(visit: Visitor) -> None:
    page = visit()
    value = now_request()
    record = [r for r in value["prefetch"].values() if r["resourceType"] != "Bundle"]
    record += [
        e["resource"]
        for found in value["prefetch"].values()
        for e in found.get("entry", ())
        if found["resourceType"] == "Bundle"
    ]
    paste(page, json.dumps(bundle(*record, draft(text="Potassium chloride 20 mEq tablet"))))
    expect(page.locator("#cards")).to_contain_text("Made from a Bundle")
    expect(page.locator(".card h3")).to_contain_text("potassium is ordered")
    page.get_by_text("In: POST").click()
    sent = json.loads(page.locator("#json-in").inner_text())
    assert sent["context"]["patientId"] == "p1"
    assert sent["context"]["selections"] == ["MedicationRequest/draft-1"]


def test_a_file_can_be_dropped(visit: Visitor) -> None:
    page = visit()
    text = json.dumps(now_request(), indent=1)
    drop = """(text) => {
        const data = new DataTransfer();
        data.items.add(new File([text], "request.json", {type: "application/json"}));
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.getElementById("text").dispatchEvent(event);
    }"""
    settled(page, lambda: page.evaluate(drop, text))
    expect(page.locator(".card h3")).to_contain_text("Magnesium 1.1 mg/dL")
    assert page.locator("#text").input_value() == text


def test_without_a_script_the_form_works(visit: Visitor) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator(".card")).to_have_count(1)
    page.locator("#example").select_option("torsades")
    page.get_by_role("button", name="Load the example").click()
    expect(page.locator(".card h3")).to_contain_text("life-threatening arrhythmia")
    page.locator("#dial-mg").fill("3.4")
    page.get_by_role("button", name="Decide again").click()
    expect(page.locator(".notice.whatif")).to_contain_text("Magnesium: 1.7 → 3.4 mg/dL")
    page.locator("#own summary").click()
    page.locator("#text").fill('{"a":\n oops}')
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.locator("#problems")).to_contain_text("line 2, column 2")
    assert page.locator("#text").input_value() == '{"a":\n oops}'


# --- what-if ----------------------------------------------------------------------------------


def test_what_if_decides_again_and_is_marked(visit: Visitor) -> None:
    page = visit("?example=severe-patient-view")
    expect(page.locator(".card > header .badge")).to_have_text("critical")
    set_dial(page, "mg", "1.6")
    expect(page.locator(".card h3")).to_contain_text("1.6 mg/dL")
    expect(page.locator(".notice.whatif")).to_contain_text("→ 1.6 mg/dL")
    expect(page.locator(".dial.moved")).to_have_count(1)
    expect(page.locator(".place.whatif").first).to_have_text("Observation/what-if-magnesium")
    page.get_by_text("In: POST").click()
    sent = json.loads(page.locator("#json-in").inner_text())
    values = [
        (e["resource"]["id"], e["resource"]["valueQuantity"]["value"])
        for e in sent["prefetch"]["magnesium"]["entry"]
    ]
    assert ("what-if-magnesium", 1.6) in values
    set_dial(page, "gfr", "12")
    expect(page.locator(".accept")).to_have_count(0)
    expect(page.locator("#stages")).to_contain_text("R3 by eGFR 12")
    settled(page, lambda: page.get_by_label("Myasthenia gravis").check())
    expect(page.locator("table.judged a", has_text="H6").first).to_be_visible()
    settled(page, lambda: page.get_by_role("button", name="Reset to the request").click())
    expect(page.locator(".notice.whatif")).to_have_count(0)
    expect(page.locator(".card > header .badge")).to_have_text("critical")


def test_each_flag_and_dial_changes_the_request(visit: Visitor) -> None:
    page = visit("?example=severe-patient-view")
    for box in page.locator(".flags input[type=checkbox]").all():
        settled(page, box.click)
    for name, value in {"weight": "45", "k": "2.9", "qtc": "520", "hours": "90"}.items():
        set_dial(page, name, value)
    settled(page, lambda: page.locator("#setting").select_option("AMB"))
    changes = page.locator(".notice.whatif li")
    boxes = page.locator(".flags input[type=checkbox]").count()
    expect(changes).to_have_count(boxes + 5)
    expect(page.locator(".course.wide .dose.whatif rect")).to_have_count(1)
    sent = page.locator("#json-in").text_content() or ""
    assert json.loads(sent)["prefetch"]["encounter"]["class"]["code"] == "AMB"


def test_it_decides_again_within_a_tenth_of_a_second(visit: Visitor) -> None:
    """Measured in the browser, from the slider's event to the new card; the best of several, as
    other tests run at the same time."""
    page = visit("?example=severe-patient-view")
    took = []
    for value in ("1.0", "1.4", "1.6", "1.9", "2.8", "1.1", "1.3", "1.7"):
        ms = page.evaluate(
            """(value) => new Promise((done) => {
                const slider = document.querySelector('[data-of="dial-mg"]');
                const start = performance.now();
                document.addEventListener("decided", () => requestAnimationFrame(() =>
                    done(performance.now() - start)), {once: true});
                slider.value = value;
                slider.dispatchEvent(new Event("input", {bubbles: true}));
            })""",
            value,
        )
        took.append(ms)
    assert min(took) < 100


# --- answers ----------------------------------------------------------------------------------


def own_patient(page: Page, id_: str, **more: Any) -> None:
    """A patient whom no other test answers for."""
    value = now_request(hookInstance=str(uuid4()), **more)
    paste(page, json.dumps(value).replace("p1", id_))


def test_accepting_reaches_the_store_and_quiets_the_card(visit: Visitor) -> None:
    page = visit()
    own_patient(page, "accepting", prefetch=prefetch() | {"magnesium": bundle(magnesium(1.4))})
    card = page.locator(".card").get_attribute("data-card")
    chosen = page.locator(".recommended .accept")
    suggestion = chosen.get_attribute("data-suggestion")
    settled(page, chosen.click)
    expect(page.locator(".told")).to_contain_text("magnesium-patient-view/feedback: accepted")
    # Taken as placed (ruling 149).
    expect(page.locator(".nothing")).to_contain_text("accepted just now here; not seen in the")
    (row,) = [r for r in stored(visit, "feedback") if r["card"] == card]
    assert (row["outcome"], row["suggestions"]) == ("accepted", suggestion)
    assert row["standing"] == "known"  # it was stored as shown before it was answered
    settled(page, lambda: page.get_by_label("Earlier answers keep cards quiet").uncheck())
    expect(page.locator(".card")).to_have_count(1)


def test_accepting_never_quiets_a_severe_card(visit: Visitor) -> None:
    """It stays, says so, and offers no drug (ruling 149)."""
    page = visit()
    own_patient(page, "severe")
    settled(page, page.locator(".recommended .accept").click)
    expect(page.locator(".card.critical")).to_contain_text("accepted just now here")
    expect(page.locator(".card .recommended")).to_have_count(0)


def test_overriding_reaches_the_store_with_its_reason(visit: Visitor) -> None:
    page = visit()
    own_patient(page, "overriding")
    card = page.locator(".card").get_attribute("data-card")
    page.get_by_text("Override", exact=True).click()
    page.get_by_label("Renal plan agreed").check()
    page.get_by_label("Comment").fill("agreed with <b>Dr. Who</b>")
    settled(page, lambda: page.get_by_role("button", name="Override the card").click())
    expect(page.locator(".told")).to_contain_text("overridden")
    (row,) = [r for r in stored(visit, "feedback") if r["card"] == card]
    assert (row["outcome"], row["reason"]) == ("overridden", "renal-plan-agreed")
    assert "Who" not in str(tuple(row))  # sealed
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".hushed")).to_contain_text("Hushed")
    expect(page.locator(".nothing")).to_contain_text("quiet, because it was answered")
    expect(page.locator("table.judged .badge", has_text="hushed")).to_have_count(1)
    settled(page, lambda: page.get_by_role("button", name="as if nothing").click())
    expect(page.locator(".card")).to_have_count(1)


def test_a_look_stores_nothing(visit: Visitor) -> None:
    page = visit()
    before = len(stored(visit, "shown"))
    own_patient(page, "looking")
    set_dial(page, "mg", "1.4")
    assert len(stored(visit, "shown")) == before


def test_by_keyboard_alone(visit: Visitor) -> None:
    page = visit()
    own_patient(page, "typing")
    page.locator("#dial-mg").focus()
    page.keyboard.press("Tab")  # the slider
    assert page.evaluate("document.activeElement.type") == "range"
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    expect(page.locator(".card h3")).to_contain_text("1.2 mg/dL")
    # The focus stays where it was, although the cards were replaced.
    assert page.evaluate("document.activeElement.dataset.of") == "dial-mg"
    page.locator(".accept").first.focus()
    settled(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator(".told")).to_be_focused()


# --- hostile text -----------------------------------------------------------------------------

HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    "[click](javascript:window.hacked=1) ![](https://evil.example/x.png)"
    " https://evil.example/ </code></pre></textarea></title><svg onload=window.hacked=1>"
    "\u202egnp.exe\u2066 {{ 7 * 7 }} ${7*7} `x` |a|b| &lt;b&gt;"
)


def leaves(value: Any) -> Iterator[tuple[Json | list[Any], Any]]:
    """(container, key) of every text."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        if isinstance(inner, (dict, list)):
            yield from leaves(inner)
        elif isinstance(inner, str):
            yield value, key


MYASTHENIA = "condition.myasthenia.snomed"
KEPT = {"resourceType", "hook", "hookInstance", "status", "system"}


def hostile_requests() -> Iterator[str]:
    """First a request hostile wherever that leaves it decidable, then one for each kind of field
    alone, with names of 10 kB."""
    base = now_request("order-sign", draft(), draft("6585", "Magnesium sulfate", id="d2"))
    base["prefetch"]["patient"]["name"] = [{"family": "A" * 10_000 + HOSTILE, "given": [HOSTILE]}]
    base["prefetch"]["conditions"] = bundle(
        {
            "resourceType": "Condition",
            "id": "c1",
            "subject": {"reference": "Patient/p1"},
            "code": {
                "coding": [{"system": SNOMED, "code": next(iter(code_set(MYASTHENIA).codes))}],
                "text": HOSTILE + "B" * 10_000,
            },
        }
    )
    furosemide = draft(*FUROSEMIDE, id="m1", status="active")
    furosemide["medicationCodeableConcept"]["text"] = "C" * 10_000 + HOSTILE
    base["prefetch"]["medications"] = bundle(furosemide)
    whole = json.loads(json.dumps(base))
    texts = {"text", "display", "family", "unit"}
    for container, key in leaves(whole):
        if key in texts or isinstance(container, list):
            container[key] = HOSTILE
    yield json.dumps(whole)
    kinds = sorted({str(key) for _, key in leaves(base) if key not in KEPT})
    for kind in kinds:
        one = json.loads(json.dumps(base))
        for container, key in leaves(one):
            if str(key) == kind:
                container[key] = HOSTILE
        yield json.dumps(one)


def test_hostile_text_is_inert(visit: Visitor) -> None:
    page = visit()
    cards = 0
    for text in hostile_requests():
        paste(page, text)
        cards += page.locator(".card").count()
        page.locator("#cards details, #stages details").evaluate_all(
            "all => all.forEach(d => { d.open = true; })"
        )
        assert page.evaluate("window.hacked") is None
        inserted = "#problems, #cards, #stages, #verdict, #controls"
        bad = page.evaluate(
            """(roots) => [...document.querySelectorAll(roots)].flatMap(r => [...r.querySelectorAll(
                "script, img, iframe, object, embed, style, link, base, [onload], [onerror],"
                + " a[href^='javascript'], a[href*='evil.example']")].map(e => e.outerHTML))""",
            inserted,
        )
        assert bad == []
        # What turns the direction of writing stands in the JSON alone, which is as it came.
        turned = page.evaluate(
            """() => [...document.querySelectorAll("#cards, #stages section")]
                .filter(s => !s.querySelector("#json-in"))
                .some(s => /[\\u202a-\\u202e\\u2066-\\u2069]/.test(s.textContent))"""
        )
        assert turned is False
        longest = "Math.max(0, ...[...document.querySelectorAll('#stages td')]"
        longest += ".map(cell => cell.innerText.length))"
        assert page.evaluate(longest) < 600
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert cards > 5
    assert "49" not in page.locator("#cards").inner_text()
