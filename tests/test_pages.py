"""service.pages without a browser: who may see them, from where, and what they do with a text."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cards.codes import RXNORM, drug
from cards.protocol import shipped
from service.answer import answer
from service.cdshooks.request import SERVICES
from service.config.settings import Settings
from service.observe import Observer
from service.pages.bundle import BundleError, request_of
from service.pages.draft import DRUGS, number, read_draft
from service.pages.example import FIRST, examples
from service.pages.gate import Gate
from service.pages.markdown import html_of, line_of
from service.pages.paste import PasteError, read_paste, written
from service.pages.picture import draw
from service.pages.place import place_at, place_of
from service.pages.whatif import FLAGS, as_hook, edited, read_base, read_whatif
from service.server.app import create_app
from tests.contract.shapes import (
    NOW,
    SERVICE,
    bundle,
    changed,
    draft,
    lab,
    magnesium,
    patient,
    request,
)
from tests.test_trust import BASE, Desk

Json = dict[str, Any]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Settings(), now=lambda: NOW).test_client()


def fields(**values: str) -> Json:
    return {"fields": list(values.items())}


# --- headers, files, origin -------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/protocol"])
def test_a_page_lets_nothing_in(client: FlaskClient, path: str) -> None:
    headers = client.get(path, headers={"Origin": "https://x.org"}).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_page_about_a_patient_is_kept_nowhere(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-store"
    assert client.post("/workbench", json=fields()).headers["Cache-Control"] == "no-store"


def test_files_are_kept_by_what_is_in_them(client: FlaskClient) -> None:
    page = client.get("/").text
    links = re.findall(r'(?:href|src)="(static/[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        found = client.get(f"/{link}")
        assert found.status_code == 200
        assert "immutable" in found.headers["Cache-Control"]
        again = client.get(f"/{link}", headers={"If-None-Match": found.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    assert client.get("/static/repletion.css").headers["Cache-Control"] == "no-cache"
    for missing in ("/static/x.css", "/static/../pages.py", "/static/workbench.html"):
        assert client.get(missing).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_another_site_cannot_use_the_workbench(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/workbench", json=fields(), headers=headers).status_code == status
    assert client.post("/", data={"text": ""}, headers=headers).status_code == status
    shown = client.post("/workbench/shown", json={"service": "x", "body": ""}, headers=headers)
    assert shown.status_code == (404 if status == 200 else 403)


def test_what_is_no_form_is_refused(client: FlaskClient) -> None:
    assert client.post("/", data="x", content_type="text/plain").status_code == 415
    assert client.post("/workbench", data="{}", content_type=FORM).status_code == 415
    assert client.post("/workbench", json={"fields": 3}).status_code == 400
    many = "&".join("a=1" for _ in range(300))
    assert client.post("/", data=many, content_type=FORM).status_code == 400
    small = create_app(Settings(max_body_mb=0.001), now=lambda: NOW).test_client()
    assert small.post("/", data={"text": "x" * 2000}).status_code == 413
    assert small.post("/workbench", json=fields(text="x" * 2000)).status_code == 413


# --- jwt mode ---------------------------------------------------------------------------------

PASSWORD = "correct horse battery"


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    given = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {given}"}


@pytest.fixture
def locked(tmp_path: Path) -> Any:
    return Desk(tmp_path, pages_password=PASSWORD)


def test_in_jwt_mode_the_password_opens_the_pages(locked: Any) -> None:
    client = locked.client
    for path in ("/", "/outcomes"):
        asked = client.get(path)
        assert asked.status_code == 401
        assert asked.headers["WWW-Authenticate"].startswith("Basic ")
        assert client.get(path, headers=basic("wrong")).status_code == 401
        assert client.get(path, headers={"Authorization": "Basic %%%"}).status_code == 401
        assert client.get(path, headers=basic(PASSWORD)).status_code == 200
    page = client.get("/", headers=basic(PASSWORD)).text
    assert "Answers need a client&#39;s token" in page
    assert "Authorization: Bearer $TOKEN" in page
    assert client.get("/protocol").status_code == 200
    # The password is for pages alone.
    hook = client.post(
        "/cds-services/magnesium-patient-view", json=request(), headers=basic(PASSWORD)
    )
    assert hook.status_code == 401
    assert hook.headers["WWW-Authenticate"] == "Bearer"
    shown = {"service": "magnesium-patient-view", "body": json.dumps(request())}
    assert client.post("/workbench/shown", json=shown, headers=basic(PASSWORD)).status_code == 404


def test_in_jwt_mode_a_password_is_not_taken_on_an_open_wire(locked: Any) -> None:
    away = {"REMOTE_ADDR": "203.0.113.9"}
    found = locked.client.get("/", headers=basic(PASSWORD), environ_base=away)
    assert found.status_code == 401


def test_in_jwt_mode_without_a_password_the_workbench_is_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.client.get("/", headers=basic("")).status_code == 401
    assert desk.client.get("/protocol").status_code == 200
    token = desk.token(claims=desk.claims(aud=f"{BASE}/"))
    found = desk.client.get("/", headers={"Authorization": f"Bearer {token}"})
    assert found.status_code == 404


def test_a_short_password_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 characters"):
        Settings(pages_password="short")


def test_guesses_are_few() -> None:
    now = [0.0]
    settings = Settings.model_construct(
        **{**Settings().__dict__, "auth": "jwt", "pages_password": Settings(
            pages_password=PASSWORD).pages_password}
    )  # fmt: skip
    gate = Gate(settings, lambda: now[0])

    class Call:
        remote_addr = "127.0.0.1"

        def __init__(self, password: str) -> None:
            self.headers = basic(password)

    def tried(password: str) -> str:
        try:
            found = gate.admit(Call(password))  # type: ignore[arg-type]
            return "left" if found is None else "in"
        except Exception as error:
            return type(error).__name__

    assert [tried(f"guess {n}") for n in range(10)] == ["PasswordAsked"] * 10
    assert tried(PASSWORD) == "TooMany"  # also the right one: else guessing would go on
    now[0] = 61.0
    assert tried(PASSWORD) == "in"


def test_a_password_never_reaches_the_log(locked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    locked.client.get("/", headers=basic("Zq9x7SECRET"))
    locked.client.get("/", headers=basic(PASSWORD))
    logged = capsys.readouterr()
    assert "Zq9x7" not in logged.out + logged.err
    assert PASSWORD not in logged.out + logged.err


def test_nothing_that_was_pasted_is_logged() -> None:
    log = io.StringIO()
    app = create_app(Settings(), now=lambda: NOW, observer=Observer(log))
    client = app.test_client()
    secret = "Zq9x7SECRET"
    value = request()
    value["prefetch"]["patient"]["name"] = [{"family": secret}]
    value["prefetch"]["weight"] = bundle(lab("29463-7", secret, secret, 3))
    text = json.dumps(value)
    for sent in (text, text[:-1], text.replace("patient-view", secret), f'{{"{secret}": 1}}'):
        client.post("/workbench", json=fields(action="decide", text=sent, mg=secret, hook=secret))
        client.post("/", data={"text": sent, "action": secret})
    client.get(f"/?example={secret}")
    client.post("/workbench/shown", json={"service": secret, "body": text})
    assert log.getvalue().count("\n") == 10
    assert secret not in log.getvalue()


# --- what was pasted --------------------------------------------------------------------------


def test_a_place_is_a_line_and_a_column() -> None:
    text = '{\n  "a": [1, {"b~/c": "x"}],\n  "d": null\n}'
    for pointer, line, column in (
        ("", 1, 1),
        ("/a", 2, 8),
        ("/a/1/b~0~1c", 2, 21),
        ("/d", 3, 8),
        ("/a/9", 2, 8),  # not there: the nearest that is
        ("/nothing/at/all", 1, 1),
        ("/d/e", 3, 8),
    ):
        place = place_of(text, pointer)
        assert place is not None
        assert (place.line, place.column) == (line, column), pointer
    assert place_of("{", "/a") is None
    assert place_of("[" * 100_000 + "]", "/1") is None  # too deep to be looked through
    long = place_at("x" * 500, 250)
    assert (long.before[0], long.after[-1], len(long.before), len(long.after)) == ("…", "…", 81, 81)


@pytest.mark.parametrize(
    ("text", "says", "line", "column"),
    [
        ("", "Nothing was pasted", None, None),
        ("{", "This is not JSON", 1, 2),
        ('{"a": 1,\n "b": oops}', "This is not JSON", 2, 7),
        ('{"a": NaN}', "This is not JSON", 1, 7),
        (" [1]", "Expected a JSON object", 1, 2),
        ("[" * 100_000, "nested too deeply", None, None),
        ('{"a": 1,\n"resourceType": "Patient"}', "single resource", 2, 17),
        ('{"resourceType": "Bundle"}', "no Patient", 1, 1),
        ('{"now": 1, "service": 2, "request": 3}', "fixture cannot be read", None, None),
    ],
)
def test_what_is_no_request_is_located(
    text: str, says: str, line: int | None, column: int | None
) -> None:
    with pytest.raises(PasteError) as caught:
        read_paste(text, None, NOW)
    (problem,) = caught.value.problems
    assert says in problem.text
    if line is None:
        assert problem.place is None
    else:
        assert problem.place is not None
        assert (problem.place.line, problem.place.column) == (line, column)


def test_a_request_is_sent_as_it_was_pasted() -> None:
    text = json.dumps(request(), indent=3) + "\n\n"
    pasted = read_paste(text, None, NOW)
    assert (pasted.text, pasted.own) == (text, True)


def test_an_edited_request_keeps_the_digits_of_the_others() -> None:
    text = json.dumps(request()).replace('"value": 4.2,', '"value": 4.20,')
    assert '"value": 4.20' in written(read_paste(text, None, NOW).request)


def test_examples_ship_and_decide() -> None:
    found = examples()
    assert next(iter(found)) == FIRST
    assert {f"{name}.json" for name in found} == {p.name for p in Path("fixtures/hooks").iterdir()}
    for example in found.values():
        pasted = read_paste(example.text, None, NOW)
        service = {hook: id_ for id_, hook in SERVICES.items()}[example.hook]
        answer(pasted.text.encode(), service, NOW)


def test_a_bundle_is_asked_about_one_patient() -> None:
    record = [*(e for e in bundle(magnesium())["entry"])]
    with pytest.raises(BundleError, match="no Patient"):
        request_of(bundle(magnesium()), None)
    with pytest.raises(BundleError, match="2 Patients"):
        request_of(bundle(patient(), patient("p2")), None)
    odd = {"resourceType": "Bundle", "entry": [None, 3, {"resource": 4}, {"resource": patient()}]}
    made, _ = request_of(odd | {"entry": [*odd["entry"], *record]}, None)
    assert made["hook"] == "patient-view"
    assert len(made["prefetch"]["magnesium"]["entry"]) == 1
    assert made["prefetch"]["conditions"]["entry"] == []  # not on file, and no gap


def test_a_bundle_with_urn_references_is_one_patients() -> None:
    url = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    who = {k: v for k, v in patient().items() if k != "id"}
    result = magnesium(subject={"reference": url})
    found = {"resourceType": "Bundle", "type": "transaction"}
    found["entry"] = [{"fullUrl": url, "resource": who}, {"resource": result}]  # type: ignore[assignment]
    made, _ = request_of(found, None)
    assert made["context"]["patientId"] == url.rpartition(":")[2]
    given = answer(written(made).encode(), SERVICE["patient-view"], NOW)
    reading = given.decision.chart.magnesium.result
    assert reading is not None
    assert reading.value == Decimal("1.1")


def test_drafts_of_a_bundle_are_what_is_ordered() -> None:
    made, remarks = request_of(bundle(patient(), draft(), draft(id="d2")), None)
    assert made["hook"] == "order-select"
    assert made["context"]["selections"] == ["MedicationRequest/draft-1", "MedicationRequest/d2"]
    assert made["prefetch"]["medications"]["entry"] == []
    viewed, remarks = request_of(bundle(patient(), draft()), "patient-view")
    assert "draftOrders" not in viewed["context"]
    assert any("Draft orders left out" in remark for remark in remarks)
    visits = [
        {"resourceType": "Encounter", "id": id_, "status": status, "period": {"start": start}}
        for id_, status, start in (
            ("old", "in-progress", "2025-01-01"),
            ("new", "in-progress", "2026-01-01"),
            ("over", "finished", "2026-02-01"),
        )
    ]
    made, _ = request_of(bundle(patient(), *visits), None)
    assert made["context"]["encounterId"] == "new"


# --- what-if ----------------------------------------------------------------------------------


def asked(
    base_request: Json, values: dict[str, str], flags: frozenset[str] | None = None, **more: Any
) -> tuple[Json, tuple[str, ...]]:
    hook = base_request["hook"]
    given = answer(written(base_request).encode(), SERVICE[hook], NOW)
    base = read_base(given.decision)
    whatif = read_whatif(values, base.flags if flags is None else flags, base)
    return edited(base_request, whatif, base, hook, NOW)


def chart_of(value: Json) -> Any:
    return answer(written(value).encode(), SERVICE[value["hook"]], NOW).decision.chart


def test_a_dial_that_was_not_moved_changes_nothing() -> None:
    base = read_base(answer(json.dumps(request()).encode(), SERVICE["patient-view"], NOW).decision)
    shown = {name: "" if value is None else str(value) for name, value in base.values.items()}
    assert not read_whatif(shown, base.flags, base)
    for odd in ("", "x", "-1", "1e99", "NaN", "Infinity", "1" * 500):
        assert not read_whatif({"mg": odd}, base.flags, base)
    assert read_whatif({"mg": "1,4"}, base.flags, base).values == {"mg": Decimal("1.4")}


def test_an_hour_that_goes_by_moves_no_dial() -> None:
    text = json.dumps(request())
    later = NOW + timedelta(minutes=70)
    base = read_base(answer(text.encode(), SERVICE["patient-view"], later).decision)
    assert base.values["hours"] == 3
    assert not read_whatif({"hours": "2", "was-hours": "2"}, base.flags, base)
    assert read_whatif({"hours": "3", "was-hours": "2"}, base.flags, base)


def test_each_dial_decides() -> None:
    values = {"mg": "1.4", "gfr": "12", "weight": "45", "k": "2.9", "qtc": "510", "hours": "5"}
    original = request()
    before = json.dumps(original)
    value, said = asked(original, values)
    assert json.dumps(original) == before  # edited is a copy
    assert len(said) == 6
    chart = chart_of(value)
    result = chart.magnesium.result
    assert (result.value, result.source) == (Decimal("1.40"), "Observation/what-if-magnesium")
    assert result.collected == NOW - timedelta(hours=5)
    assert (chart.kidney.id, chart.kidney.gfr) == ("R3", 12)
    assert (chart.weight.value, chart.potassium.value, chart.qtc.value) == (45, Decimal("2.9"), 510)


def test_magnesium_alone_keeps_the_older_results() -> None:
    value = changed(request(), "prefetch/magnesium", bundle(magnesium(), magnesium(1.6, 50)))
    found, said = asked(value, {"mg": "1.9"})
    assert said == ("Magnesium: 1.1 → 1.9 mg/dL (in the place of Observation/19123-9-2)",)
    points = answer(written(found).encode(), SERVICE["patient-view"], NOW).decision.trace().course
    assert [p.value for p in points.points] == [Decimal("1.6"), Decimal("1.9")]


def test_a_lab_that_was_never_obtained_counts_as_answered() -> None:
    value = request()
    for empty in ({}, {"magnesium": None}, {"magnesium": {"resource": bundle(), "response": {}}}):
        value["prefetch"].pop("magnesium", None)
        value["prefetch"] |= empty
        found, _ = asked(value, {"mg": "1.0"})
        assert chart_of(found).magnesium.result.usable
    single = changed(request(), "prefetch/magnesium", magnesium())
    found, _ = asked(single, {"mg": "1.0"})
    assert chart_of(found).magnesium.result.value == Decimal("1.0")
    no_prefetch = {k: v for k, v in request().items() if k != "prefetch"}
    edited_one, _ = edited(
        no_prefetch,
        read_whatif({"mg": "1.0"}, frozenset(), read_base(answer(
            json.dumps(request()).encode(), SERVICE["patient-view"], NOW).decision)),
        read_base(answer(json.dumps(request()).encode(), SERVICE["patient-view"], NOW).decision),
        "patient-view", NOW,
    )  # fmt: skip
    assert edited_one["prefetch"]["magnesium"]["entry"]


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_a_flag_is_put_there_and_taken_away(flag: Any) -> None:
    value, said = asked(request(), {}, frozenset({flag.name}))
    assert said == (f"{flag.label}: added",)
    decision = answer(written(value).encode(), SERVICE["patient-view"], NOW).decision
    assert flag.name in read_base(decision).flags
    back, said = asked(value, {}, frozenset())
    assert said == (f"{flag.label}: left out",)
    decision = answer(written(back).encode(), SERVICE["patient-view"], NOW).decision
    assert read_base(decision).flags == frozenset()


def test_the_setting_can_be_changed() -> None:
    value, said = asked(request(), {"setting": "AMB"})
    assert said == ("Setting: outpatient",)
    assert chart_of(value).setting == "ambulatory"
    assert asked(request(), {"setting": "XX"})[1] == ()


def test_an_order_of_the_form_is_judged() -> None:
    values = {"order": "mgso4", "order-dose": "2", "order-minutes": "5"}
    value, said = asked(request("order-sign"), values)
    assert said == ("Order drafted: Magnesium sulfate, intravenous: 2 g over 5 min",)
    given = answer(written(value).encode(), SERVICE["order-sign"], NOW)
    assert "D1" in given.decision.rules
    selected, _ = asked(request("order-select"), values)
    assert selected["context"]["selections"] == ["MedicationRequest/what-if-order"]
    assert asked(request(), values)[1] == ()  # nobody orders at patient-view


def test_every_drug_of_the_form_is_one_that_the_tables_know() -> None:
    for one in DRUGS.values():
        assert drug(RXNORM, one.code) is not None, one.text
        values = {"order-dose": one.dose, "order-minutes": one.minutes, "order-perday": one.per_day}
        name = next(n for n, d in DRUGS.items() if d is one)
        made = read_draft({"order": name, **values})
        assert made is not None
        resource = made.resource("p1", None, NOW)
        assert resource["dosageInstruction"][0]["doseAndRate"]
    assert read_draft({"order": "nonsense"}) is None
    empty = read_draft({"order": "kcl"})
    assert empty is not None
    assert empty.said == "Potassium chloride 20 mEq tablet: no dose"
    assert number("12") == 12


@pytest.mark.parametrize("hook", list(SERVICE))
@pytest.mark.parametrize("sent", list(SERVICE))
def test_a_request_can_be_asked_at_another_hook(sent: str, hook: str) -> None:
    value = as_hook(request(sent), hook)
    answer(json.dumps(value).encode(), SERVICE[hook], NOW)
    assert ("draftOrders" in value["context"]) == (hook != "patient-view")
    if hook == "order-select" and sent == "order-sign":
        assert value["context"]["selections"] == ["MedicationRequest/draft-1"]


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("![a](https://x.org/a.png)", None),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        ("[a](//x.org)", "<p>[a](//x.org)</p>"),
        ("https://x.org", "<p>https://x.org</p>"),
        ("**a** | b", "<p><strong>a</strong> | b</p>"),
    ],
)
def test_markdown_of_a_card_is_safe(markdown: str, html: str | None) -> None:
    found = str(html_of(markdown)).strip()
    assert "<img" not in found
    assert "href=" not in found or "x.org" in found
    if html is not None:
        assert found == html


def test_a_link_leaves_the_page_alone() -> None:
    found = str(line_of("[a](https://x.org)"))
    assert found.startswith('<a href="https://x.org" rel="noopener noreferrer nofollow"')


def test_the_picture_rings_the_deciding_result() -> None:
    value = changed(
        request(),
        "prefetch/magnesium",
        bundle(magnesium(), magnesium(1.3, 30), magnesium(7.2, 40), magnesium(1.5, 24 * 60)),
    )
    decision = answer(json.dumps(value).encode(), SERVICE["patient-view"], NOW).decision
    course = decision.trace().course
    for width in (344, 760):
        found = draw(course, shipped("standard"), NOW, width, 300)
        assert found is not None
        assert [dot.decides for dot in found.dots] == [False, False, True]
        assert found.older == 1
        assert all(0 <= dot.x <= width and 0 <= dot.y <= 300 for dot in found.dots)
        # Lower is lower; of the severe band to the band's edge.
        high, low, last = found.dots[0], found.dots[1], found.dots[2]
        assert high.y < low.y < last.y
        severe = next(s for s in found.shades if s.acts_as == "severe")
        assert severe.y <= last.y <= severe.y + severe.height
        assert "deciding result is 1.1 mg/dL" in found.said
    empty = answer(
        json.dumps(changed(request(), "prefetch/magnesium", bundle())).encode(),
        SERVICE["patient-view"],
        NOW,
    ).decision.trace()
    assert draw(empty.course, shipped("standard"), NOW, 760, 300) is None


def test_results_of_one_moment_are_drawn() -> None:
    value = changed(request(), "prefetch/magnesium", bundle(magnesium(1.1, 0)))
    course = (
        answer(json.dumps(value).encode(), SERVICE["patient-view"], NOW).decision.trace().course
    )
    found = draw(course, shipped("standard"), NOW, 760, 300)
    assert found is not None
    assert found.said.startswith("One result")


def test_what_is_refused_is_said_on_the_page(client: FlaskClient) -> None:
    value = request()
    del value["prefetch"]["patient"]
    page = client.post("/workbench", json=fields(action="fresh", text=json.dumps(value))).get_json()
    assert "HTTP 412" in page["cards"]
    assert "All clear" in page["cards"]
    hookless = client.post(
        "/workbench", json=fields(action="fresh", text='{"hook": "x-view", "context": {}}')
    ).get_json()
    assert "names no hook" in hookless["problems"]
    assert "line 1, column 10" in hookless["problems"]


def test_what_is_not_read_and_what_is_not_known_is_said(client: FlaskClient) -> None:
    value = request(fhirServer="https://fhir.example.org")
    value["prefetch"].pop("conditions")
    value["prefetch"]["potassium"] = bundle(lab("2823-3", 4.2, "stone", 4))
    page = client.post("/workbench", json=fields(action="fresh", text=json.dumps(value))).get_json()
    assert "<strong>conditions</strong>" in page["stages"]
    assert ">unknown</span>" in page["stages"]
    assert "The workbench asks no FHIR server" in page["cards"]


def test_shadow_mode_is_said(tmp_path: Path) -> None:
    client = create_app(Settings(mode="shadow"), now=lambda: NOW).test_client()
    page = client.get("/").text
    assert "Shadow mode" in page
    assert "&#34;cards&#34;: []" in page


@pytest.mark.loopback
@pytest.mark.real_clock
@pytest.mark.needs("curl")
def test_the_curl_line_works(tmp_path: Path) -> None:
    import html

    from tests.server import serving

    with serving(tmp_path) as server:
        status, page = server.call("GET", "/?example=torsades")
        assert status == 200
        line = re.search(r'<code id="curl">(.*?)</code>', page.decode(), re.S)
        out = re.search(r'<code id="json-out">(.*?)</code>', page.decode(), re.S)
        assert line is not None
        assert out is not None
        run = subprocess.run(
            ["sh"], input=html.unescape(line[1]), capture_output=True, text=True, timeout=60
        )
        said = json.loads(run.stdout)["cards"][0]
        assert said["uuid"] == json.loads(html.unescape(out[1]))["cards"][0]["uuid"]


def test_a_here_document_is_not_ended_by_its_content(client: FlaskClient) -> None:
    text = json.dumps(request(), indent=1) + "\nREQUEST\n"
    page = client.post("/workbench", json=fields(action="fresh", text=text)).get_json()
    assert "REQUEST" not in page["problems"] or "not JSON" in page["problems"]
    good = json.dumps(request()).replace('"p1"', '"p1"', 1)
    page = client.post("/workbench", json=fields(action="fresh", text=good)).get_json()
    assert "&lt;&lt;&#39;REQUEST&#39;" in page["stages"]


@pytest.mark.real_clock
def test_a_page_takes_less_than_50_ms() -> None:
    client = create_app(Settings(), now=lambda: datetime.now(UTC)).test_client()
    client.get("/")  # templates are compiled once
    for path in ("/", "/protocol"):
        took = []
        for _ in range(10):
            started = time.perf_counter()
            assert client.get(path).status_code == 200
            took.append((time.perf_counter() - started) * 1000)
        assert min(took) < 50
