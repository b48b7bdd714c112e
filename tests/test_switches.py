"""A site can switch a rule off, but for those that no site may be without (ruling 134)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from cards.handbook import check
from cards.protocol import ProtocolError
from service.pages.sheet import standalone
from tests.test_assessment import decided, rules, site

PPI = "Mg 1.4 mg/dL | draft: omeprazole"
TABLE = '[rule.N3]\ntitle = "x"\nindicator = {}\nsources = ["FDA-PPI"]\n'


def dropped(*names: str) -> str:
    return f"drops = {json.dumps([f'rule.{name}' for name in names])}\n"


@pytest.mark.parametrize(
    "protocol",
    [site(drops=dropped("N3")), site(TABLE.format('"none"'))],
    ids=["dropped", "none"],
)
def test_a_rule_that_is_off_makes_no_card(protocol: object) -> None:
    assert rules(decided("order-select", PPI)) == ["N3"]
    assert not rules(decided("order-select", PPI, protocol))  # type: ignore[arg-type]


def test_a_rule_may_be_off_at_one_class_alone() -> None:
    off = site(TABLE.format('{ mild = "info", moderate = "none", severe = "warning" }'))
    assert not rules(decided("order-select", PPI, off))
    assert rules(decided("order-select", PPI.replace("1.4", "1.1"), off)) == ["N3"]
    assert "rule.N3 is switched off when moderate: x" in check(off)


def test_what_the_patient_says_can_be_off_too() -> None:
    assert rules(decided("patient-view", "Mg 1.6 mg/dL")) == ["mild"]
    assert not rules(decided("patient-view", "Mg 1.6 mg/dL", site(drops=dropped("mild"))))


def test_a_severe_level_is_told_at_signing_whatever_is_off() -> None:
    patient = "Mg 1.1 mg/dL | k 3.1 | draft: kcl"
    found = decided("order-sign", patient, site(drops=dropped("N1", "N1-lab")))
    assert (rules(found), found.worst) == (["sign"], "critical")


@pytest.mark.parametrize(
    "name",
    """D1 D1-sign D1-select D4 D5 D8 D10 D11 D13 D16 D16-r2 toxic toxic-stale life life-no-level
    severe sign symp""".split(),
)
def test_what_no_site_may_switch_off(name: str) -> None:
    with pytest.raises(ProtocolError, match=rf"rule\.{name}\.indicator: .*cannot be switched off"):
        site(drops=dropped(name))


def test_what_is_off_is_listed_and_a_check_of_a_draft_in_red() -> None:
    off = site(drops=dropped("N3", "D12"))
    said = [remark for remark in check(off) if "switched off" in remark]
    assert [remark.split(":")[0] for remark in said] == ["site-relaxed", "rule.N3 is switched off"]
    page = standalone(off, date(2026, 2, 1), "1")
    assert "Switched off by the site" in page
    assert "A check of drafted orders is off: D12, switched off." in page
    assert "is off: N3" not in page
    assert "Switched off by the site" not in standalone(site(), date(2026, 2, 1), "1")
