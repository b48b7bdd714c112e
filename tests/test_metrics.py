"""/metrics in jwt mode: open to who shows the one token for it, and to nobody else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from service.config.settings import Settings
from service.observe import Observer
from service.server.app import create_app
from service.store import open_store
from service.trust.token import LIFETIME_S
from tests.contract.shapes import NOW
from tests.tokens import BASE, ISSUER, JKU, PATIENTS_KEY, ec, signed, write_clients

TOKEN = "scrape-me-if-you-can"


def service(folder: Path, token: str | None = TOKEN) -> tuple[Any, io.StringIO]:
    out = io.StringIO()
    settings = Settings(
        auth="jwt",
        clients=write_clients(folder),
        base_url=BASE,
        secret=PATIENTS_KEY,
        metrics_token=token,
    )
    store = open_store(f"sqlite:///{folder}/store.db")
    app = create_app(settings, now=lambda: NOW, observer=Observer(out), store=store)
    return app.test_client(), out


def a_clients_token() -> str:
    now = int(NOW.timestamp())
    claims = {"iss": ISSUER, "aud": f"{BASE}/metrics", "iat": now, "exp": now + LIFETIME_S}
    header = {"alg": "ES384", "typ": "JWT", "kid": "ehr-ec", "jku": JKU}
    return signed(header, claims | {"jti": "one"}, ec("ehr"))


def test_a_scraper_with_the_token_reads_them_again_and_again(tmp_path: Path) -> None:
    client, _ = service(tmp_path)
    for _ in range(2):
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert "repletion_requests_total" in answer.get_data(as_text=True)
        assert TOKEN not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}x", "Bearer é", "client"],
)
def test_everybody_else_gets_the_one_401(tmp_path: Path, shown: str | None) -> None:
    client, out = service(tmp_path)
    shown = f"Bearer {a_clients_token()}" if shown == "client" else shown
    headers = {} if shown is None else {"Authorization": shown}
    answer, elsewhere = client.get("/metrics", headers=headers), client.get("/cds-services")
    assert (answer.status_code, answer.data) == (401, elsewhere.data)
    assert answer.headers["WWW-Authenticate"] == elsewhere.headers["WWW-Authenticate"]
    assert json.loads(out.getvalue().splitlines()[0])["refused"] == "metrics"
    assert TOKEN not in out.getvalue()


def test_without_the_setting_they_are_off(tmp_path: Path) -> None:
    client, _ = service(tmp_path, None)
    for shown in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": shown}).status_code == 401


def test_the_token_opens_nothing_else_and_counts_on_no_open_wire(tmp_path: Path) -> None:
    client, out = service(tmp_path)
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/cds-services", headers=shown).status_code == 401
    far = client.get("/metrics", headers=shown, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert far.status_code == 401
    assert json.loads(out.getvalue().splitlines()[-1])["refused"] == "plaintext"
