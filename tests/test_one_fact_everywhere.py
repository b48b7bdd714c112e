"""Each limit in turn gets an unusual value: the cards differ where the new number stands, only."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import cards
import service.pages
from cards.decision import Decision
from cards.plan import CreateDrug, CreateLab, UpdateDraft
from cards.protocol import Protocol, ProtocolError, build_protocol, shipped
from cards.protocol.words import limits, literals
from service.answer import answer
from tests.test_one_fact import limit, refused, site
from tests.test_protocol import Raw, raw
from tests.vignette import NOW, SERVICE_IDS, Row, all_rows, build_request

PLACES = dict(limits(shipped("standard").file))
# Limits that no card of a vignette names: they decide, and no sentence speaks of them.
UNNAMED = frozenset(
    f"{table}.{name}"
    for table, names in {
        "limit": """single_im weight_low weight_high bedside_dose emergency_spent one_off_end
        oral_full_dose oxide_daily supplement_high high_card obstetric_high platelets
        potassium_low potassium_urgent calcium_recheck calcium_urgent calcium_ionized
        calcium_per_albumin albumin_normal qtc_long qtc_borderline qrs_wide
        qtc_wide_allowance creatinine_rise creatinine_ratio creatinine_low femg_low
        femg_high femg_window refractory_iv refractory_iv_window refractory_oral_days
        maintenance_window new_event recent_dialysis monitoring_magnesium short_infusion
        schedule_rest event_night recent_arrest quiet accepted_unseen failing_after after_due
        after_due_reduced routine_rate untimed_dose untimed_bag bag_volume tiers_together
        more_since_full more_since_reduced creatinine_doubled creatinine_failure
        creatinine_climb filtered_dose dialysed_dose failing_dose unusable_high
        obstetric_recent obstetric_pregnancy pregnancy_lasts obstetric_load
        obstetric_load_time obstetric_large_time obstetric_im obstetric_bag
        obstetric_creatinine low_before long_stale""",
        "result": """quantise age_inpatient age_ambulatory age_creatinine_inpatient
        age_creatinine_ambulatory age_weight_inpatient age_weight_ambulatory egfr_lag future
        range_middle_low range_middle_high verify_below verify_above edta_magnesium
        edta_potassium edta_calcium edta_window borderline_high""",
    }.items()
    for name in names.split()
)
# Numbers of sentences in code that only happen to equal a limit.
OWN = {
    "24 h": "the day that doses are counted over",
    "48 h": "KDIGO's two days",
    "7 days": "KDIGO's week; the outcomes page's span",
    "30 days": "the outcomes page's span",
    "90 days": "the outcomes page's span",
}


# -- sentences -----------------------------------------------------------------------------------
def sentences() -> Iterator[tuple[str, str]]:
    """(file, text) of every string that may be shown: of the core and of the pages."""
    core = Path(cards.__file__).parent
    pages = Path(service.pages.__file__).parent
    # What the articles said, and the sums that condemn it, are numbers of their own.
    quoted = {core / "handbook" / "ledger.py", core / "handbook" / "sums.py"}
    for path in [*core.rglob("*.py"), *pages.rglob("*.py")]:
        if path not in quoted:
            yield from ((path.name, said) for said in strings(path.read_text(encoding="utf-8")))
    for path in pages.rglob("*.html"):
        text = re.sub(r"<[^>]*>|\{[{%#].*?[}%#]\}", " ", path.read_text(encoding="utf-8"))
        yield path.name, text


def strings(source: str) -> Iterator[str]:
    """The string constants of a module, its docstrings apart."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        said = isinstance(node, ast.Constant) and id(node) not in docstrings
        if said and isinstance(node.value, str):
            yield node.value


def test_no_sentence_in_code_repeats_a_limit() -> None:
    found = {(number, file) for file, text in sentences() for number, _ in literals(text, PLACES)}
    assert not {hit for hit in found if hit[0] not in OWN}
    assert {number for number, _ in found} == set(OWN)


@pytest.mark.parametrize(
    ("says", "place"),
    [
        ("keep potassium at 4.0 mmol/L or more", "limit.potassium_at_risk"),
        ("differ by more than 25 %", "limit.weight_jump"),
        ("age under 18 or not known", "limit.adult_age"),
        ("for 18 years", "limit.adult_age"),
        ("6 h after the infusion", "limit.one_off_end"),
        ("a 6-hour wait", "limit.one_off_end"),
        ("at most 150 mg/min", "limit.infusion_rate"),
        ("fewer than 50 x 10^9/L", "limit.platelets"),
    ],
)
def test_a_number_is_found_in_a_sentence(says: str, place: str) -> None:
    assert [found for _, found in literals(says, PLACES)] == [place]


@pytest.mark.parametrize(
    "says",
    ["1.25 % more", "25 mg", "18 tablets", "R18 years", "4.05 mmol/L", "40-50 kg", "12 x 150 mg"],
)
def test_another_number_is_not(says: str) -> None:
    assert not list(literals(says.replace("40-50 kg", "41-50 kg"), PLACES))


def test_a_sites_own_sentence_may_not_repeat_a_limit() -> None:
    own = '[wording.ecg]\nsources = ["SM2"]\ntext = "ECG for {} and at 25 %"\n'
    line = refused(own.format("6 h"))
    assert "site.toml: wording.ecg.text: 6 h stands in limit.one_off_end: write {limit." in line
    assert "wording.ecg.text: 25 % stands in limit.weight_jump" in line
    assert (
        "12 h and at 25 %"
        in site(own.format("12 h") + 'own_numbers = ["25 %"]\n').file.wording.ecg.text
    )


def test_an_inherited_sentence_may_happen_to() -> None:
    """Glycinate 200 mg in the words is no oxide of 200 mg in the limits."""
    assert site(limit("limit.oxide_daily", 200, "mg"))


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ("{limit.qiuet}", "{limit.qiuet} is no limit and no regimen of this file"),
        ("{limit.quiet.unit}", "{limit.quiet.unit} is no limit and no regimen of this file"),
        ("{band.mild}", "{band.mild} is no limit and no regimen of this file"),
        ("{limit.quiet and more", "{limit.quiet is not closed"),
        (
            "{regimen.oral}",
            "{regimen.oral} must stand for one recommended infusion, not no infusion",
        ),
        (
            "{regimen.parenteral}",
            "{regimen.parenteral} must stand for one recommended infusion, not 1 g over 2 h; 2 g",
        ),
    ],
)
def test_a_place_that_is_not_there_is_refused(says: str, wrong: str) -> None:
    line = refused(f'[wording.ecg]\ntext = "{says}"\nsources = ["SM2"]\n')
    assert f"site.toml: wording.ecg.text: {wrong}" in line


def test_the_words_of_an_emergency_take_their_dose_from_its_row() -> None:
    row = """[[regimen]]
id = "emergency"
when = { flags = ["life"] }
offer = [{ product = "sulfate-iv", dose = 3, minutes = 60, star = true }]
sources = ["HARR"]
why = "policy"
"""
    says = site(row).file.wording.emergency.text
    assert says.startswith("Emergency dose: magnesium sulfate 3 g over 1 h IV;")


# -- cards ---------------------------------------------------------------------------------------
@cache
def rows() -> tuple[tuple[Row, bytes], ...]:
    """Vignettes that between them say every sentence the vignettes' cards say, with the request."""
    seen: set[str] = set()
    chosen = []
    for row in all_rows():
        request = json.dumps(build_request(row.hook, row.inputs)).encode()
        said = answer(request, SERVICE_IDS[row.hook], NOW).body.decode()
        new = set(_beginnings(said)) - seen
        if new:
            seen |= new
            chosen.append((row, request))
    return tuple(chosen)


def _beginnings(body: str) -> Iterator[str]:
    """How each sentence of a card begins, numbers and names apart."""
    for card in json.loads(body)["cards"]:
        labels = [s["label"] for s in card.get("suggestions", [])]
        for sentence in re.split(
            r"\n|[.:;] ", "\n".join((card["summary"], card["detail"], *labels))
        ):
            words = re.findall(r"(?<![\w-])[a-z][a-z-]+(?![\w-])", sentence)
            yield " ".join(words[:4])


def told(protocol: Protocol) -> list[tuple[str, Any]]:
    """(what is answered, what was decided) for each row."""
    found = []
    for row, request in rows():
        answered = answer(request, SERVICE_IDS[row.hook], NOW, protocol)
        assert answered.decision is not None or row.hook != "patient-view"
        found.append((answered.body.decode(), answered.decision and decided(answered.decision)))
    return found


def decided(decision: Decision) -> Any:
    """Everything a limit may change but words."""
    chart, asked = decision.chart, decision.assessment
    result = chart.magnesium.result
    steps = [
        action.step.given
        if isinstance(action, CreateDrug | UpdateDraft)
        else (action.lab, action.at)
        if isinstance(action, CreateLab)
        else action
        for proposal in (decision.plan.proposals if decision.plan else ())
        for action in proposal.actions
    ]
    return (
        [(f.rule, f.indicator, f.act) for f in decision.shown],
        {name for name in asked.flags.by_name if asked.flags.met(name)},
        [stop.id for stop in asked.stops.holding],
        (chart.kidney.id, chart.kidney.aki, chart.kidney.estimates, chart.kidney.notes),
        result and (result.problems, str(result.value), result.verify_high, result.borderline),
        (chart.weight, chart.weight_note is None, chart.potassium, chart.corrected_calcium),
        (chart.platelets, chart.qtc, chart.wide_qrs, chart.fe_mg, chart.notes),
        (asked.cap, asked.refractory, chart.magnesium.future),
        steps,
        [line.text for line in decision.plan.lines if line.text.startswith(OTHER)]
        if decision.plan
        else [],
    )


# Lines that stand or not as a limit decides, without being a finding.
OTHER = ("Potassium", "Calcium", "Corrected", "Ionised", "Tetany", "Monitor", "FE-Mg", "Collected")


def unusual(place: str) -> Protocol:
    """The standard profile with a value of this limit that no card shows, as near as can be."""
    said = "\n".join(body for body, _ in standard())
    old = PLACES[place].value
    for digits in (1, 2, 3):
        for delta in (3, -3, 7, -7, 1, -1, 9, -9):
            value = old + Decimal(delta).scaleb(-digits)
            protocol = _with(place, value)
            if protocol is not None and not re.search(rf"(?<![\d.]){value}(?!\d)", said):
                return protocol
    protocol = _with(place, Decimal("0.001"))  # a step of ten is all that may be said
    assert protocol is not None, place
    return protocol


def _with(place: str, value: Decimal) -> Protocol | None:
    table, name = place.split(".")
    tables: Raw = raw()
    tables[table][name]["value"] = value
    try:
        return build_protocol(tables, "standard.toml")
    except ProtocolError:
        return None


@cache
def standard() -> tuple[tuple[str, Any], ...]:
    return tuple(told(shipped("standard")))


@pytest.fixture(autouse=True)
def long_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer number must not push another sentence off the card."""
    monkeypatch.setattr("cards.card.render.DETAIL_LIMIT", 10_000)


@pytest.mark.slow  # each limit over all sentences: two minutes
@pytest.mark.parametrize("place", PLACES)
def test_a_card_follows_its_limit(place: str) -> None:
    protocol = unusual(place)
    old, new = PLACES[place].number, dict(limits(protocol.file))[place].number
    number = re.compile(rf"(?<![\d.]){re.escape(new)}(?!\d)")
    named = False
    for (row, _), (was, then), (body, now) in zip(rows(), standard(), told(protocol), strict=True):
        named = named or number.search(body) is not None
        assert then != now or number.sub(old, body) == was, row.id
    assert named is (place not in UNNAMED), f"{place} {old} {new}"
