"""The bench itself: that its numbers are what they say, and that it notices what it is for."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import orjson
import pytest

import cards
from cards.codes import lab_concept
from service import answer as answer_module
from service.answer import answer
from service.cdshooks.request import SERVICE_OF_HOOK
from service.config.settings import Settings
from service.server import serve as product
from tests.bench import load, stages
from tests.bench import serve as floors
from tests.bench.__main__ import CURVES, PARTS, chosen, main
from tests.bench.bodies import HOOKS, SIZES, TARGET, Size, patients, pool
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.hooks import path_of
from tests.bench.inside import Costs, costs, each, growth, read
from tests.bench.load import Plan, Round
from tests.bench.measure import (
    Effort,
    Measured,
    Sample,
    compare,
    difference,
    percentile,
    ratio,
    sample,
)
from tests.bench.record import record
from tests.bench.report import number, write_plot, write_raw
from tests.bench.setting import Setting
from tests.bench.soak import capacity, soak, soaked, stop_under_load
from tests.bench.subjects import SERVICE, Subject, running

pytestmark = pytest.mark.uncounted

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SMALL = Size("small", 10, 3)


# --- bodies -------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bodies() -> None:
    assert pool(SMALL, "order-sign", NOW, count=3) == pool(SMALL, "order-sign", NOW, count=3)
    assert pool(SMALL, "order-sign", NOW, seed=9) != pool(SMALL, "order-sign", NOW, seed=8)


def test_no_body_repeats_another() -> None:
    """Neither ids nor values: nothing that is remembered of one serves the next."""
    seen: Counter[str] = Counter()
    values = set()
    for body in pool(TARGET, "order-select", NOW, count=8):
        request = msgspec.json.decode(body.whole())
        results = [e["resource"] for e in request["prefetch"]["magnesium"]["entry"]]
        values.add(tuple(r["valueQuantity"]["value"] for r in results))
        seen.update({request["context"]["patientId"], *(r["id"] for r in results)})
    assert len(values) == 8
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("name", SIZES)
def test_a_body_is_of_its_size_and_gets_a_card(name: str, hook: str) -> None:
    wanted = {"3kB": 3_000, "118kB": 118_000, "1MB": 1_000_000}[name]
    (body,) = pool(SIZES[name], hook, NOW, count=1)
    assert (
        len(body) == len(body.whole()) == pytest.approx(wanted, rel=0.15 if wanted < 9e3 else 0.02)
    )
    given = answer(body.whole(), f"magnesium-{hook}", NOW)
    assert given.decision.worst == "critical"
    assert "severe" in given.decision.rules
    assert not given.evidence.gaps
    assert not given.evidence.set_aside


def test_the_target_body_holds_what_the_target_says() -> None:
    (body,) = pool(TARGET, "order-select", NOW, count=1)
    found: Counter[str] = Counter()
    for value in msgspec.json.decode(body.whole())["prefetch"].values():
        resources = [e["resource"] for e in value.get("entry", ())] or [value]
        found.update(r["resourceType"] for r in resources)
        labs = [r for r in resources if r["resourceType"] == "Observation"]
        assert all(lab_concept(r["code"]["coding"][0]["code"]) for r in labs)
    assert (found["Observation"], found["MedicationRequest"]) == (200, 30)


def test_a_patient_is_the_same_whatever_is_asked_of_it_first() -> None:
    (one,), (other,) = (patients(SMALL, "order-select", NOW, count=1) for _ in range(2))
    list(one.medications())
    assert one.labs() == other.labs()
    assert one.context("order-select") == other.context("order-select")


# --- figures ------------------------------------------------------------------------------------


def test_percentiles_are_values_that_were_measured() -> None:
    values = list(range(100, 0, -1))
    found = [percentile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)]
    assert found == [1, 50, 95, 99, 100]
    assert percentile([7.0], 0.99) == 7
    assert percentile([1, 2], 0.5) == 1
    assert math.isnan(percentile([], 0.5))


def of(*p50: float) -> Measured:
    return Measured("x", [Sample(1, ms, ms, ms, 1000 / ms, ms, 1, 0) for ms in p50])


def test_a_ratio_is_taken_within_each_round() -> None:
    """The third round was ten times as slow for both: it changes nothing."""
    assert ratio(of(4, 4, 40), of(2, 2, 20), "p50") == 2
    assert ratio(of(4, 40, 4), of(2, 2, 20), "p50") == 2
    assert difference(of(4, 5, 60), of(2, 3, 20), "p50") == 2
    with pytest.raises(ValueError, match="rounds"):
        ratio(of(1), of(1, 2), "p50")


def test_a_sample_counts_for_each_request() -> None:
    got = Round(array("d", [0, 1]), array("d", [10, 20]), Counter(lost=1), 2.0, 0.5)
    assert sample(got, 0.1) == Sample(2, 10, 20, 20, 1.0, pytest.approx(50), 250_000, 1)


@pytest.mark.parametrize(
    ("kind", "measured", "reached"),
    [
        ("most", 1.0, True),
        ("most", 1.01, False),
        ("most", math.nan, False),
        ("least", 1.0, True),
        ("least", 0.99, False),
        ("least", math.nan, False),
    ],
)
def test_a_target_is_reached_or_not(kind: str, measured: float, reached: bool) -> None:
    assert Target("words", measured, 1.0, kind).reached is reached


def test_what_an_observation_adds() -> None:
    def cost(n: int, us: float) -> Costs:
        return Costs(n, {"decide": us}, {"decide": us})

    # 500 µs for the call, 2 for each of the first thousand, 3 for each after that.
    measured = [cost(0, 500), cost(100, 700), cost(1_000, 2_500), cost(2_000, 5_500)]
    assert each(measured, "decide") == {100: 2, 1_000: 2, 2_000: 3}
    assert growth(measured, "decide", (100, 1_000, 2_000)) == 1.5
    assert growth(measured, "decide", (0, 100, 1_000)) == 1
    level = [cost(100, 700), cost(1_000, 700), cost(2_000, 800)]
    assert growth(level, "decide", (100, 1_000, 2_000)) == math.inf


# --- the client ---------------------------------------------------------------------------------


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that treats each connection in its own way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def whole_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65_536)
        if not got:
            return b""
        data += got
    return data


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.loopback
@pytest.mark.real_clock
def test_the_client_counts_what_was_answered_and_what_was_not() -> None:
    answers = iter([OK, OK, OK.replace(b"200 OK", b"500 No"), OK[:-5], b"", OK, OK])

    def serve(connection: socket.socket) -> None:
        while whole_request(connection):
            said = next(answers)
            connection.sendall(said)
            if not said.endswith(b"{}"):
                break
        connection.close()

    with answering(serve) as port:
        got = load.run(Plan(port, "/", seconds=20, most=7))
    assert len(got.ms) == len(got.at) == 4
    # Half an answer, and none at all: both were sent.
    assert got.faults == {"500": 1, "lost": 2}
    assert got.lost == 3


@pytest.mark.loopback
@pytest.mark.real_clock
def test_a_connection_closed_between_two_requests_is_no_loss() -> None:
    def serve(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(OK)
        connection.close()

    with answering(serve) as port:
        # Due every 200 ms: the server has hung up long before.
        got = load.run(Plan(port, "/", seconds=20, most=4, rate=5))
    assert len(got.ms) == 4
    assert set(got.faults) <= {"closed"}
    assert got.lost == 0


@pytest.mark.loopback
@pytest.mark.real_clock
def test_nobody_there_is_no_loss_and_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    got = load.run(Plan(port, "/", connections=3, seconds=20, until_refused=True))
    assert (len(got.ms), got.faults, got.lost) == (0, {"refused": 3}, 0)


@pytest.mark.loopback
@pytest.mark.real_clock
def test_an_open_loop_does_not_spare_a_server_that_stalls() -> None:
    """One answer takes 0.5 s; those due meanwhile waited, too, though each took no time."""
    first = threading.Event()

    def serve(connection: socket.socket) -> None:
        while whole_request(connection):
            if not first.is_set():
                first.set()
                time.sleep(0.5)
            connection.sendall(OK)

    with answering(serve) as port:
        got = load.run(Plan(port, "/", seconds=0.6, rate=50))
    assert sum(ms > 200 for ms in got.ms) >= 10


@pytest.mark.loopback
@pytest.mark.real_clock
def test_bodies_arrive_whole_each_with_an_instance_of_its_own() -> None:
    """1 MB: more than the kernel takes at once."""
    came: list[dict[str, object]] = []

    def serve(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while (line := stream.readline()) not in (b"", b"\r\n"):
            head = [line]
            while (line := stream.readline()) != b"\r\n":
                head.append(line)
            length = next(int(h.split(b":")[1]) for h in head if h.startswith(b"Content-Length"))
            came.append(json.loads(stream.read(length)))
            connection.sendall(OK)

    with answering(serve) as port:
        plan = Plan(port, "/x", seconds=60, most=6, size=SIZES["1MB"], now=NOW, count=2)
        assert len(load.run(plan).ms) == 6
    assert len({str(body["hookInstance"]) for body in came}) == 6
    assert len({body["context"]["patientId"] for body in came}) == 2  # type: ignore[index]


# --- comparing ----------------------------------------------------------------------------------


@dataclass
class Stub:
    name: str
    port: int

    def cpu_s(self) -> float:
        return 0.0


@pytest.mark.loopback
@pytest.mark.real_clock
def test_a_slow_subject_is_noticed() -> None:
    def plan_of(subject: Stub) -> Plan:
        return Plan(subject.port, "/Observation?patient=nobody")

    with record(NOW, None, 1, 1) as fast, record(NOW, None, 80, 1) as slow, load.client() as client:
        subjects = [Stub(url, int(url.rpartition(":")[2])) for url in (fast, slow)]
        measured = compare(client, subjects, plan_of, Effort(3, 0.1))
    quick, late = measured.values()
    assert late.of("p50") >= 80
    # On a busy machine the fast one is not always 1 ms; what is added is.
    assert difference(late, quick, "p50") > 30
    assert ratio(late, quick, "p50") > 1.5
    # A round is long enough for what was asked: five of the slow one take 0.4 s.
    assert all(s.requests >= 5 for m in measured.values() for s in m.samples)


@pytest.mark.loopback
@pytest.mark.real_clock
def test_the_record_holds_the_patients_of_the_bodies() -> None:
    (patient,) = patients(TARGET, "order-select", NOW, count=1)
    with record(NOW, None, 0, 1) as base:
        connection = socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])), 10)
        code = "http://loinc.org%7C2601-3,http://loinc.org%7C19123-9"
        query = f"/Observation?patient={patient.id}&code={code}&_sort=-date&_count=20"
        connection.sendall(f"GET {query} HTTP/1.1\r\n\r\n".encode())
        answer = b""
        while len(answer) < 4_000 or not answer.endswith(b"}]}"):
            answer += connection.recv(65_536)
    page = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert [e["resource"] for e in page["entry"]] == patient.labs()["magnesium"][:20]


def test_a_floor_reads_the_body_and_runs_as_the_product_does() -> None:
    (body,) = pool(SMALL, "order-select", NOW, count=1)
    for reader in (orjson.loads, read):
        client = floors.floor(reader).test_client()  # type: ignore[attr-defined]
        path = "/cds-services/magnesium-order-select"
        assert client.post(path, data=body.whole()).json["cards"]
        assert client.post(path, data=body.whole()[:-1]).status_code == 500
    settings = Settings()
    app = floors.floor(read)
    ours, theirs = (
        {name: setting.value for name, setting in server.cfg.settings.items()}
        for server in (
            product.Server(app, settings, "127.0.0.1", 8080, 1),
            floors._Server(app, settings, "127.0.0.1", 8080, 1),
        )
    )
    for hook in ("post_fork", "when_ready"):
        assert ours.pop(hook).__func__ is theirs.pop(hook).__func__
    assert ours == theirs


# --- stages -------------------------------------------------------------------------------------


def test_the_stages_of_a_call_are_found_and_put_back() -> None:
    (body,) = pool(SMALL, "order-select", NOW, count=1)
    before = dict(vars(answer_module)), dict(vars(cards))
    found = stages.measure(
        lambda: answer_module.answer(body.whole(), "magnesium-order-select", NOW),
        [(answer_module, "answer")],
        runs=5,
        share=0,
        depth=2,
    )
    assert (vars(answer_module), vars(cards)) == before
    paths = {stage.path for stage in found}
    assert {("answer",), ("answer", "read_hook"), ("answer", "decide")} <= paths
    whole = found[0]
    assert whole.path == ("answer",)
    within = sum(stage.us for stage in found if len(stage.path) == 2)
    assert 0.5 * whole.us < within < whole.us * 1.2
    assert all(0 <= stage.own_us <= stage.us for stage in found)


# --- soak ---------------------------------------------------------------------------------------


def test_a_soak_that_grows_or_slows_is_noticed() -> None:
    seconds = [n / 100 for n in range(1_000)]
    flat = Round(array("d", seconds), array("d", [5.0] * 1_000))
    still = soaked(flat, [80.0] * 10, 1.0, 100, 80)
    assert [w.requests for w in still.windows] == [100] * 10
    assert (still.grown_mb, still.p99_drift) == (0, 1)
    slower = Round(array("d", seconds), array("d", [5 + s for s in seconds]))
    leaking = soaked(slower, [80.0 + n for n in range(10)], 1.0, 100, 80)
    assert leaking.grown_mb == 6
    assert leaking.p99_drift > 1.7


# --- command and report -------------------------------------------------------------------------


def test_parts_are_chosen_in_their_own_order() -> None:
    assert chosen([]) == list(PARTS)
    assert set(CURVES) < set(PARTS)
    assert chosen(["soak", "curves", "hooks", "soak"]) == [
        part for part in PARTS if part in {"soak", "hooks", *CURVES}
    ]
    assert {SERVICE_OF_HOOK[hook] for hook in HOOKS} == {f"magnesium-{hook}" for hook in HOOKS}


def test_raw_numbers_and_a_plot_are_written(tmp_path: Path) -> None:
    findings = Findings(
        "part",
        [Table("t", ("a",), ((1,),))],
        [Target("fast", 2.0, 1.0)],
        [
            Curve("lines", "one", "n", "ms", ((1, 1.0), (1000, math.nan), (2000, 3.0))),
            Curve("bars", "one", "which", "ms", (("p50", 1.0), ("p99", 2.0))),
        ],
        {"of": of(1, 3).as_json()},
    )
    write_raw(tmp_path / "speed.json", {"quick": True}, [findings])
    written = json.loads((tmp_path / "speed.json").read_text())
    assert written["parts"]["part"]["of"]["medians"]["p50"] == 2
    assert written["targets"][0]["reached"] is False
    write_plot(tmp_path / "speed.svg", findings.curves)
    svg = (tmp_path / "speed.svg").read_text()
    ElementTree.fromstring(svg)
    assert "lines" in svg
    assert "bars" in svg


def test_numbers_have_three_digits_that_count() -> None:
    given = [1234.5, 123.4, 12.34, 1.234, 0.1234, 7, "x", math.nan]
    assert [number(n) for n in given] == ["1234", "123", "12.3", "1.23", "0.123", "7", "x", "nan"]


@pytest.mark.slow
@pytest.mark.loopback
@pytest.mark.real_clock
def test_the_command_measures_and_writes(tmp_path: Path) -> None:
    assert main(["--quick", "--out", str(tmp_path), "fetch", "jwt", "profile"]) == 0
    written = json.loads((tmp_path / "speed.json").read_text())
    assert list(written["parts"]) == ["profile", "jwt", "fetch"]
    assert {"machine", "python", "commit", "quick", "seconds"} <= written["run"].keys()
    for part in ("jwt", "fetch"):
        for name, m in written["parts"][part].items():
            if name not in ("load_average", "seconds"):
                assert m["requests"] > 5
                assert m["faults"] == 0, (part, name)
    sent, fetched = (written["parts"]["fetch"][n] for n in ("service", "fetched at 5 ms"))
    # What is awaited for 5 ms is seen: the fetches were made.
    assert fetched["medians"]["p50"] > sent["medians"]["p50"]
    assert fetched["medians"]["p50"] > 5
    paths = [stage["path"] for stage in written["parts"]["profile"]["stages"]]
    assert ["wsgi_app"] in paths
    assert any(path[-2:] == ["answer", "decide"] for path in paths)


# --- what must not get worse --------------------------------------------------------------------

# Far from what is measured on a machine that is free (README): a shared one must not fail these.
DECIDE_BESIDE_READ = 5.0
GROWTH = 2.5


def best(measure: Callable[[], float], bound: float, tries: int = 5) -> float:
    """The least of some tries; the first below the bound will do."""
    found = math.inf
    for _ in range(tries):
        found = min(found, measure())
        if found <= bound:
            break
    return found


@pytest.mark.slow
@pytest.mark.real_clock
def test_deciding_costs_no_more_than_so_many_readings() -> None:
    def measure() -> float:
        (target,) = costs([TARGET.observations], NOW, rounds=4)
        return target.least["decide"] / target.least["msgspec read"]

    assert best(measure, DECIDE_BESIDE_READ) <= DECIDE_BESIDE_READ


@pytest.mark.slow
@pytest.mark.real_clock
def test_every_observation_costs_much_the_same() -> None:
    """A step that looks at each result for each result would be 5 times as dear up there."""

    def measure() -> float:
        sizes = (100, 600, 3_000)
        return growth(costs(sizes, NOW, rounds=4), "decide", sizes)

    assert best(measure, GROWTH) <= GROWTH


@pytest.mark.loopback
@pytest.mark.real_clock
@pytest.mark.slow
def test_it_starts_soon_and_stays_small() -> None:
    def start_cpu_s() -> float:
        with running(SERVICE) as subject:
            return subject.start_cpu_s

    # Of work: how long it takes on a machine that has other work to do says nothing.
    assert best(start_cpu_s, 3.0) <= 3.0
    with running(SERVICE) as subject, load.client() as client:
        client.run(to(subject, connections=8, seconds=60, most=400))
        assert subject.pss_mb() < 90


def to(subject: Subject, **more: Any) -> Plan:
    """A Plan for the target body, of now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Plan(subject.port, path_of("order-select"), size=TARGET, now=now, count=16, **more)


@pytest.mark.loopback
@pytest.mark.real_clock
@pytest.mark.kill
@pytest.mark.parametrize("anew", [False, True], ids=["kept", "anew"])
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_loses_no_request(workers: int, anew: bool) -> None:
    with load.client() as client:
        got = stop_under_load(client, Setting(), workers=workers, anew=anew, after=0.7)
    assert got.answered > 5
    assert got.lost == 0, got.faults
    assert set(got.faults) <= {"refused", "closed"}
    assert got.status == 0


@pytest.mark.loopback
@pytest.mark.real_clock
@pytest.mark.soak
@pytest.mark.rotates
def test_under_load_it_neither_fails_nor_grows_nor_slows() -> None:
    """20 s of the ten minutes of `make bench`, at half the capacity: the machine is shared."""

    def p50() -> float:
        return percentile(client.run(to(subject, most=40, seconds=60)).ms, 0.5)

    setting = Setting()
    with running(SERVICE) as subject, load.client() as client:
        # All threads have worked, at once and with as much as ever.
        client.run(to(subject, connections=32, seconds=60, most=300))
        most = capacity(client, subject, setting, 1)
        before = best(p50, 0, 3)
        got = soak(client, subject, setting, 20, most, share=0.5)
        after = best(p50, 4 * before, 10)
        # What the start says, and nothing else.
        assert len(subject.err().splitlines()) == 5
    assert got.faults == {}
    assert sum(window.requests for window in got.windows) > 20 * 0.5 * most * 0.3
    assert got.grown_mb < 6
    assert after <= 4 * before
