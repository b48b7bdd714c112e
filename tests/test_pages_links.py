"""Links between pages: whatever the workbench names in the protocol stands there."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cards.protocol import PROFILES, shipped
from service.pages.link import link_to
from tests.html import Html
from tests.test_api import Bench

pytestmark = pytest.mark.loopback
EXAMPLES = sorted(p.stem for p in (Path(__file__).parents[1] / "fixtures" / "hooks").glob("*.json"))


def test_the_workbench_leads_into_the_protocol() -> None:
    bench = Bench()
    pages: dict[str, Html] = {}
    checked: set[str] = set()
    for example in EXAMPLES:
        shown = Html(bench.client.get(f"/?example={example}").text)
        for link in (e.attributes.get("href", "") for e in shown.all("a")):
            parts = urlsplit(link)
            if parts.path != "protocol" or not parts.fragment:
                continue
            page = f"/protocol?{parts.query}"
            if page not in pages:
                pages[page] = Html(bench.client.get(page).text)
            assert parts.fragment in pages[page].ids, (example, link)
            assert "Another protocol" not in pages[page].id("main").text
            checked.add(parts.fragment)
    kinds = {fragment.split("-")[0] for fragment in checked}
    assert kinds >= {"rule", "stop", "regimen", "source", "unread"}


def test_a_link_names_its_protocol() -> None:
    for name in PROFILES:
        protocol = shipped(name)
        start = f"protocol?hash={protocol.hash[:16]}"
        assert link_to(protocol, "D1") == f"{start}#rule-D1"
        assert link_to(protocol, "H10") == f"{start}#stop-H10"
        assert link_to(protocol, "H2-unknown", "stop") == f"{start}#stop-H2-unknown"
        assert link_to(protocol, "conditions-unknown", "stop") == f"{start}#unread-conditions"
        assert link_to(protocol, "severe", "regimen") == f"{start}#regimen-severe"
        assert link_to(protocol, "D99") == start
