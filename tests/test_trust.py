"""Who may call: what an attacker or a careless client sends, and what an honest one does."""

from __future__ import annotations

import atexit
import copy
import io
import json
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, OctKey, RSAKey

from service.cdshooks.request import SERVICES
from service.config.settings import Settings, SettingsError
from service.observe import Observer
from service.server.app import create_app
from service.store import Store, StoreDown, open_store
from service.trust import Call, Refused, Trust, read_clients
from service.trust.keys import Fetched, KeysError, fetch_jwks, read_jwks
from tests.contract.shapes import NOW, body, request
from tests.tokens import (
    BASE,
    ISSUER,
    JKU,
    OTHER,
    OTHER_JKU,
    PATIENTS_KEY,
    b64,
    ec,
    hmac_signed,
    public,
    rsa,
    signed,
    write_clients,
)

Json = dict[str, Any]
VIEW = "/cds-services/magnesium-patient-view"
SIGN = "/cds-services/magnesium-order-sign"
T0 = int(NOW.timestamp())


@cache
def template() -> Path:
    """A store with its tables, made once: migrating takes longer than a whole test here."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_store(f"sqlite:///{folder}/store.db").engine.dispose()
    return folder / "store.db"


class Desk:
    """The service in jwt mode with its clients, and the tokens of an honest one."""

    def __init__(self, folder: Path, name: str = "store.db", **settings: Any) -> None:
        self.now: datetime = NOW
        self.out = io.StringIO()
        if not (folder / name).exists():
            shutil.copy(template(), folder / name)
        self.store: Any = Store(f"sqlite:///{folder / name}")
        chosen = Settings(
            auth="jwt",
            clients=write_clients(folder),
            base_url=f"{BASE}/",
            secret=PATIENTS_KEY,
            **settings,
        )
        self.app = create_app(
            chosen, now=lambda: self.now, observer=Observer(self.out), store=self.store
        )
        self.client: FlaskClient = self.app.test_client()
        self.count = 0

    def header(self, **more: Any) -> Json:
        return {"alg": "ES384", "typ": "JWT", "kid": "ehr-ec", "jku": JKU, **more}

    def claims(self, **more: Any) -> Json:
        self.count += 1
        return {
            "iss": ISSUER,
            "aud": BASE + VIEW,
            "exp": T0 + 300,
            "iat": T0,
            "jti": f"jti-{self.count}",
            **more,
        }

    def token(self, header: Json | None = None, claims: Json | None = None, key: Any = None) -> str:
        return signed(header or self.header(), claims or self.claims(), key or ec("ehr"))

    def call(self, authorization: str | None, path: str = VIEW) -> Any:
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.client.post(path, json=request(), headers=headers)

    def reasons(self) -> list[str]:
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [line.get("refused", "") for line in lines]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.engine.dispose()


def dropped(value: Json, *names: str) -> Json:
    return {k: v for k, v in value.items() if k not in names}


def twice(value: Json, name: str, again: Any) -> str:
    """The JSON of an object in which ``name`` stands twice."""
    return json.dumps(value)[:-1] + f", {json.dumps(name)}: {json.dumps(again)}}}"


def other(d: Desk, tenant: str | None = "north", **more: Any) -> Json:
    claims = d.claims(iss=OTHER, **more)
    return claims if tenant is None else {**claims, "tenant": tenant}


def other_header(d: Desk, **more: Any) -> Json:
    return d.header(kid="other-ec", jku=OTHER_JKU, **more)


def der(key: ECKey | RSAKey) -> bytes:
    return key.as_pem(private=False)


def flip(token: str, part: int, at: int = 5) -> str:
    parts = token.split(".")
    text = parts[part]
    parts[part] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    return ".".join(parts)


def loose_bits(token: str) -> str:
    """The same RS384 signature in another spelling: its last digit has bits to spare."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + digits[digits.index(token[-1]) + 1]


EMBEDDED = public(ec("attacker"), "attacker")
# What is sent, and the word in our log. B: the value of the Authorization header is given.
B = Callable[[Desk], str]
ATTACKS: dict[str, tuple[B, str]] = {
    # --- algorithms ---
    "alg none": (
        lambda d: f"Bearer {b64(d.header(alg='none'))}.{b64(d.claims())}.",
        "scheme",
    ),
    "alg none, a signature": (
        lambda d: f"Bearer {b64(d.header(alg='none'))}.{b64(d.claims())}.AAAA",
        "algorithm",
    ),
    "alg NoNe": (
        lambda d: f"Bearer {b64(d.header(alg='NoNe'))}.{b64(d.claims())}.AAAA",
        "algorithm",
    ),
    "alg absent": (
        lambda d: "Bearer " + signed(dropped(d.header(), "alg"), d.claims(), ec("ehr"), "ES384"),
        "algorithm",
    ),
    "alg a list": (
        lambda d: "Bearer " + signed(d.header(alg=["ES384"]), d.claims(), ec("ehr"), "ES384"),
        "algorithm",
    ),
    "alg in small letters": (
        lambda d: "Bearer " + signed(d.header(alg="es384"), d.claims(), ec("ehr"), "ES384"),
        "algorithm",
    ),
    "HS256 with the public key": (
        lambda d: "Bearer " + hmac_signed(d.header(alg="HS256"), d.claims(), der(ec("ehr"))),
        "algorithm",
    ),
    "HS384 with the public RSA key": (
        lambda d: (
            "Bearer "
            + hmac_signed(
                d.header(alg="HS384", kid="ehr-rsa"), d.claims(), der(rsa("ehr")), "sha384"
            )
        ),
        "algorithm",
    ),
    "ES384 that is an HMAC": (
        lambda d: "Bearer " + hmac_signed(d.header(), d.claims(), der(ec("ehr")), "sha384"),
        "signature",
    ),
    "RS384 that is an HMAC": (
        lambda d: (
            "Bearer "
            + hmac_signed(
                d.header(alg="RS384", kid="ehr-rsa"), d.claims(), der(rsa("ehr")), "sha384"
            )
        ),
        "signature",
    ),
    "RS384 with the kid of the EC key": (
        lambda d: "Bearer " + signed(d.header(alg="RS384"), d.claims(), rsa("ehr")),
        "key",
    ),
    "ES384 with the kid of the RSA key": (
        lambda d: "Bearer " + signed(d.header(kid="ehr-rsa"), d.claims(), ec("ehr")),
        "key",
    ),
    "RS256 by the right key": (
        lambda d: "Bearer " + signed(d.header(alg="RS256", kid="ehr-rsa"), d.claims(), rsa("ehr")),
        "algorithm",
    ),
    "PS384 by the right key": (
        lambda d: "Bearer " + signed(d.header(alg="PS384", kid="ehr-rsa"), d.claims(), rsa("ehr")),
        "algorithm",
    ),
    "ES256": (
        lambda d: "Bearer " + signed(d.header(alg="ES256"), d.claims(), ec("p256", "P-256")),
        "algorithm",
    ),
    "ES512": (
        lambda d: "Bearer " + signed(d.header(alg="ES512"), d.claims(), ec("p521", "P-521")),
        "algorithm",
    ),
    # --- headers ---
    "crit": (
        lambda d: "Bearer " + d.token(d.header(crit=["exp"])),
        "header",
    ),
    "crit, empty": (lambda d: "Bearer " + d.token(d.header(crit=[])), "header"),
    "b64 false": (
        lambda d: "Bearer " + d.token(d.header(b64=False, crit=["b64"])),
        "header",
    ),
    "b64 false without crit": (lambda d: "Bearer " + d.token(d.header(b64=False)), "header"),
    "embedded jwk": (
        lambda d: "Bearer " + d.token(d.header(jwk=EMBEDDED, kid="attacker"), key=ec("attacker")),
        "header",
    ),
    "embedded jwk of the right key": (
        lambda d: "Bearer " + d.token(d.header(jwk=public(ec("ehr"), "ehr-ec"))),
        "header",
    ),
    "x5u": (
        lambda d: "Bearer " + d.token(d.header(x5u="https://evil.example.org/chain.pem")),
        "header",
    ),
    "x5c of the attacker": (
        lambda d: "Bearer " + d.token(d.header(x5c=[b64(der(ec("attacker")))]), key=ec("attacker")),
        "signature",
    ),
    "zip": (lambda d: "Bearer " + d.token(d.header(zip="DEF")), "header"),
    "typ absent": (lambda d: "Bearer " + d.token(dropped(d.header(), "typ")), "header"),
    "typ at+jwt": (lambda d: "Bearer " + d.token(d.header(typ="at+jwt")), "header"),
    "typ null": (lambda d: "Bearer " + d.token(d.header(typ=None)), "header"),
    "kid absent": (lambda d: "Bearer " + d.token(dropped(d.header(), "kid")), "header"),
    "kid empty": (lambda d: "Bearer " + d.token(d.header(kid="")), "header"),
    "kid a number": (lambda d: "Bearer " + d.token(d.header(kid=7)), "header"),
    "kid unknown": (lambda d: "Bearer " + d.token(d.header(kid="ehr-ec2")), "key"),
    "kid a path": (
        lambda d: "Bearer " + d.token(d.header(kid="../../dev/null"), key=ec("attacker")),
        "key",
    ),
    "kid an injection": (
        lambda d: "Bearer " + d.token(d.header(kid="' UNION SELECT 'key'--")),
        "key",
    ),
    "kid of another client": (
        lambda d: "Bearer " + d.token(d.header(kid="other-ec"), key=ec("other")),
        "key",
    ),
    "a header parameter twice": (
        lambda d: (
            "Bearer " + signed(twice(d.header(alg="none"), "alg", "ES384"), d.claims(), ec("ehr"))
        ),
        "malformed",
    ),
    # --- jku ---
    "jku of the attacker": (
        lambda d: (
            "Bearer "
            + d.token(d.header(jku="https://evil.example.org/jwks.json"), key=ec("attacker"))
        ),
        "jku",
    ),
    "jku that looks alike": (
        lambda d: "Bearer " + d.token(d.header(jku=JKU.replace("ehr.", "ehr-"))),
        "jku",
    ),
    "jku with user part": (
        lambda d: "Bearer " + d.token(d.header(jku="https://ehr.example.org@evil.org/jwks.json")),
        "jku",
    ),
    "jku longer than the client's": (
        lambda d: "Bearer " + d.token(d.header(jku=f"{JKU}/../../x.json")),
        "jku",
    ),
    "jku with http": (
        lambda d: "Bearer " + d.token(d.header(jku=JKU.replace("https", "http"))),
        "jku",
    ),
    "jku of one client, iss of another": (
        lambda d: "Bearer " + d.token(d.header(jku=OTHER_JKU)),
        "jku",
    ),
    "jku and key of one client, iss of another": (
        lambda d: "Bearer " + d.token(other_header(d), d.claims(), ec("other")),
        "jku",
    ),
    "jku not text": (lambda d: "Bearer " + d.token(d.header(jku=[JKU])), "jku"),
    # --- keys and signatures ---
    "signed by another key": (lambda d: "Bearer " + d.token(key=ec("attacker")), "signature"),
    "RSA signed by another key": (
        lambda d: "Bearer " + d.token(d.header(alg="RS384", kid="ehr-rsa"), key=rsa("attacker")),
        "signature",
    ),
    "signature of zeros": (
        lambda d: "Bearer " + d.token().rsplit(".", 1)[0] + "." + b64(bytes(96)),
        "signature",
    ),
    "signature cut short": (
        lambda d: "Bearer " + d.token().rsplit(".", 1)[0] + "." + b64(bytes(12)),
        "signature",
    ),
    "signature in DER form": (
        lambda d: "Bearer " + d.token().rsplit(".", 1)[0] + "." + b64(b"0d\x020" + bytes(98)),
        "signature",
    ),
    "signature absent": (lambda d: "Bearer " + d.token().rsplit(".", 1)[0], "scheme"),
    "signature of another token": (
        lambda d: "Bearer " + d.token().rsplit(".", 1)[0] + "." + d.token().rsplit(".", 1)[1],
        "signature",
    ),
    "payload changed": (
        lambda d: (
            "Bearer "
            + ".".join([*(t := d.token().split("."))[:1], b64(d.claims(exp=T0 + 800)), t[2]])
        ),
        "signature",
    ),
    "a bit of the signature": (lambda d: "Bearer " + flip(d.token(), 2), "signature"),
    "another spelling of the signature": (
        lambda d: (
            "Bearer " + loose_bits(d.token(d.header(alg="RS384", kid="ehr-rsa"), key=rsa("ehr")))
        ),
        "malformed",
    ),
    # --- issuer and tenant ---
    "iss unknown": (lambda d: "Bearer " + d.token(claims=d.claims(iss="https://x.org")), "issuer"),
    "iss with a slash more": (
        lambda d: "Bearer " + d.token(claims=d.claims(iss=f"{ISSUER}/")),
        "issuer",
    ),
    "iss a list": (lambda d: "Bearer " + d.token(claims=d.claims(iss=[ISSUER])), "claims"),
    "tenant of nobody": (
        lambda d: "Bearer " + d.token(other_header(d), other(d, "east"), ec("other")),
        "tenant",
    ),
    "tenant absent": (
        lambda d: "Bearer " + d.token(other_header(d), other(d, None), ec("other")),
        "tenant",
    ),
    "tenant empty": (
        lambda d: "Bearer " + d.token(other_header(d), other(d, ""), ec("other")),
        "claims",
    ),
    "tenant in other letters": (
        lambda d: "Bearer " + d.token(other_header(d), other(d, "North"), ec("other")),
        "tenant",
    ),
    # --- audience ---
    "aud off by a character": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=BASE + VIEW + "s")),
        "audience",
    ),
    "aud with a slash more": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=f"{BASE}{VIEW}/")),
        "audience",
    ),
    "aud of another service": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=BASE + SIGN)),
        "audience",
    ),
    "aud of discovery": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=f"{BASE}/cds-services")),
        "audience",
    ),
    "aud of the base": (lambda d: "Bearer " + d.token(claims=d.claims(aud=BASE)), "audience"),
    "aud on http": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=f"http{BASE[5:]}{VIEW}")),
        "audience",
    ),
    "aud of the feedback": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=f"{BASE}{VIEW}/feedback")),
        "audience",
    ),
    "aud an empty list": (lambda d: "Bearer " + d.token(claims=d.claims(aud=[])), "claims"),
    "aud with a null": (
        lambda d: "Bearer " + d.token(claims=d.claims(aud=[BASE + VIEW, None])),
        "claims",
    ),
    # --- times ---
    "expired": (
        lambda d: "Bearer " + d.token(claims=d.claims(iat=T0 - 400, exp=T0 - 61)),
        "expired",
    ),
    "expired on the second": (
        lambda d: "Bearer " + d.token(claims=d.claims(iat=T0 - 360, exp=T0 - 60)),
        "expired",
    ),
    "iat in the future": (
        lambda d: "Bearer " + d.token(claims=d.claims(iat=T0 + 61, exp=T0 + 300)),
        "future",
    ),
    "nbf in the future": (
        lambda d: "Bearer " + d.token(claims=d.claims(nbf=T0 + 61)),
        "future",
    ),
    "nbf not a number": (lambda d: "Bearer " + d.token(claims=d.claims(nbf="0")), "claims"),
    "longer than 15 minutes": (
        lambda d: "Bearer " + d.token(claims=d.claims(exp=T0 + 901)),
        "lifetime",
    ),
    "exp before iat": (
        lambda d: "Bearer " + d.token(claims=d.claims(iat=T0 + 50, exp=T0 + 40)),
        "lifetime",
    ),
    "exp as text": (lambda d: "Bearer " + d.token(claims=d.claims(exp=str(T0 + 300))), "claims"),
    "exp true": (lambda d: "Bearer " + d.token(claims=d.claims(exp=True)), "claims"),
    "exp without end": (
        lambda d: "Bearer " + d.token(claims=d.claims(exp=math.inf)),
        "malformed",
    ),
    "exp 1e999": (
        lambda d: (
            "Bearer "
            + signed(
                d.header(),
                json.dumps(d.claims(exp=7)).replace('"exp": 7', '"exp": 1e999'),
                ec("ehr"),
            )
        ),
        "claims",
    ),
    "times in milliseconds": (
        lambda d: "Bearer " + d.token(claims=d.claims(iat=T0 * 1000, exp=T0 * 1000 + 300)),
        "claims",
    ),
    # --- claims missing, twice, of the wrong kind ---
    **{
        f"{name} absent": (
            lambda d, name=name: "Bearer " + d.token(claims=dropped(d.claims(), name)),
            "claims",
        )
        for name in ("iss", "aud", "exp", "iat", "jti")
    },
    **{
        f"{name} twice": (
            lambda d, name=name: (
                "Bearer " + signed(d.header(), twice(c := d.claims(), name, c[name]), ec("ehr"))
            ),
            "malformed",
        )
        for name in ("iss", "aud", "exp", "jti")
    },
    "jti blank": (lambda d: "Bearer " + d.token(claims=d.claims(jti=" ")), "claims"),
    "jti a number": (lambda d: "Bearer " + d.token(claims=d.claims(jti=7)), "claims"),
    "jti endless": (lambda d: "Bearer " + d.token(claims=d.claims(jti="x" * 600)), "claims"),
    "sub a list": (lambda d: "Bearer " + d.token(claims=d.claims(sub=["x"])), "claims"),
    # --- form ---
    "no header": (lambda d: "", "absent"),
    "basic": (lambda d: "Basic dXNlcjpwYXNz", "scheme"),
    "bearer of nothing": (lambda d: "Bearer ", "scheme"),
    "no scheme": (lambda d: d.token(), "scheme"),
    "two headers": (lambda d: f"Bearer {d.token()},Bearer {d.token()}", "scheme"),
    "the same header twice": (lambda d: ",".join([f"Bearer {d.token()}"] * 2), "scheme"),
    "two tokens": (lambda d: f"Bearer {d.token()} {d.token()}", "scheme"),
    "four parts": (lambda d: f"Bearer {d.token()}.AAAA", "scheme"),
    "five parts, a JWE": (lambda d: "Bearer " + ".".join([b64(d.header())] * 5), "scheme"),
    "JSON serialisation": (lambda d: 'Bearer {"payload":"e30","signatures":[]}', "scheme"),
    "padding": (lambda d: "Bearer " + d.token().replace(".", "=.", 1), "scheme"),
    "ordinary base64": (lambda d: "Bearer " + d.token() + "+/", "scheme"),
    "not JSON": (lambda d: f"Bearer {b64('x')}.{b64('y')}.{b64('z')}", "malformed"),
    "payload a list": (lambda d: "Bearer " + signed(d.header(), "[]", ec("ehr")), "malformed"),
    "payload not UTF-8": (
        lambda d: f"Bearer {b64(d.header())}.{b64(bytes([255, 254]))}.{b64('z')}",
        "malformed",
    ),
    "payload nested deeply": (
        lambda d: "Bearer " + signed(d.header(), "[" * 5000, ec("ehr")),
        "malformed",
    ),
    "huge": (lambda d: "Bearer " + d.token(claims=d.claims(more="x" * 12_000)), "scheme"),
}


def test_how_many_attacks() -> None:
    assert len(ATTACKS) >= 100


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_or_a_mistake_is_the_one_401(desk: Desk, attack: str) -> None:
    make, reason = ATTACKS[attack]
    refused = desk.call(make(desk) or None)
    plain = desk.call(None)
    assert refused.status_code == plain.status_code == 401
    assert refused.data == plain.data
    assert refused.get_json()["issue"][0]["code"] == "login"
    own = ("X-Correlation-Id", "traceparent")
    assert [h for h in refused.headers if h[0] not in own] == [
        h for h in plain.headers if h[0] not in own
    ]
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert desk.reasons() == [reason, "absent"]
    # And nothing was burnt: the honest call goes through.
    assert desk.call("Bearer " + desk.token()).status_code == 200


def test_replay(desk: Desk, tmp_path: Path) -> None:
    token = "Bearer " + desk.token()
    first, again = desk.call(token), desk.call(token)
    assert (first.status_code, again.status_code) == (200, 401)
    assert again.data == desk.call(None).data
    elsewhere = Desk(tmp_path)  # another process, as far as the store can tell
    assert elsewhere.call(token).status_code == 401
    assert elsewhere.reasons() == ["replayed"]
    elsewhere.store.engine.dispose()


def test_a_jti_of_another_token_of_the_same_issuer_is_a_replay(desk: Desk) -> None:
    claims = desk.claims()
    assert desk.call("Bearer " + desk.token(claims=claims)).status_code == 200
    assert desk.call("Bearer " + desk.token(claims={**claims, "exp": T0 + 400})).status_code == 401
    # Two issuers may use one jti: they do not know of each other.
    theirs = other(desk, jti=claims["jti"])
    assert desk.call("Bearer " + desk.token(other_header(desk), theirs, ec("other"))).data


def test_a_refused_token_is_not_used_up(desk: Desk) -> None:
    token = "Bearer " + desk.token()
    assert desk.call(token, SIGN).status_code == 401
    assert desk.call(token).status_code == 200


def test_service_that_the_client_may_not_use(desk: Desk) -> None:
    claims = other(desk, aud=BASE + SIGN)
    refused = desk.call("Bearer " + desk.token(other_header(desk), claims, ec("other")), SIGN)
    assert refused.status_code == 401
    assert desk.reasons() == ["service"]


HONEST: dict[str, Callable[[Desk], str]] = {
    "the Sandbox's shape": lambda d: d.token(),
    "RS384": lambda d: d.token(d.header(alg="RS384", kid="ehr-rsa"), key=rsa("ehr")),
    "without jku": lambda d: d.token(dropped(d.header(), "jku")),
    "a jku where the clients file has none": lambda d: d.token(
        d.header(kid="clinic-ec", jku="https://anything.example.org/keys"),
        d.claims(iss="https://clinic.example.org"),
        ec("clinic"),
    ),
    "aud a list": lambda d: d.token(claims=d.claims(aud=["https://x.org", BASE + VIEW])),
    "Epic's nbf and sub": lambda d: d.token(claims=d.claims(nbf=T0, sub="client-7")),
    "the longest life": lambda d: d.token(claims=d.claims(exp=T0 + 900)),
    "times with a fraction": lambda d: d.token(claims=d.claims(iat=T0 - 0.5, exp=T0 + 299.5)),
    "a clock a minute behind": lambda d: d.token(claims=d.claims(iat=T0 - 359, exp=T0 - 59)),
    "a clock a minute ahead": lambda d: d.token(claims=d.claims(iat=T0 + 60, exp=T0 + 360)),
    "jti of 64 hex digits": lambda d: d.token(claims=d.claims(jti="0123456789abcdef" * 4)),
    "a tenant": lambda d: d.token(other_header(d), other(d, "south"), ec("other")),
    "a tenant nobody asked for": lambda d: d.token(claims=d.claims(tenant="somewhere")),
    "a certificate thumbprint": lambda d: d.token(d.header(x5t="a" * 27, cty="JWT")),
    "unknown parameters": lambda d: d.token(d.header(zzz=1), d.claims(zzz=1)),
}


@pytest.mark.parametrize("shape", HONEST)
def test_an_honest_token_is_accepted(desk: Desk, shape: str) -> None:
    assert desk.call("Bearer " + HONEST[shape](desk)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_in_any_letters(desk: Desk, scheme: str) -> None:
    assert desk.call(f"{scheme} {desk.token()}").status_code == 200


def test_discovery_and_feedback_have_their_own_audience(desk: Desk) -> None:
    def get(path: str, aud: str) -> int:
        headers = {"Authorization": "Bearer " + desk.token(claims=desk.claims(aud=aud))}
        status: int = desk.client.get(path, headers=headers).status_code
        return status

    assert get("/cds-services", f"{BASE}/cds-services") == 200
    assert get("/cds-services", BASE + VIEW) == 401
    assert get("/openapi.json", f"{BASE}/openapi.json") == 200
    assert get("/", f"{BASE}/") == 404  # let in, and the workbench is off (service.pages.gate)
    assert get("/nowhere", f"{BASE}/nowhere") == 401

    def feedback(aud: str) -> int:
        headers = {"Authorization": "Bearer " + desk.token(claims=desk.claims(aud=aud))}
        path = f"{VIEW}/feedback"
        status: int = desk.client.post(path, json={"feedback": []}, headers=headers).status_code
        return status

    assert feedback(f"{BASE}{VIEW}/feedback") == 200
    assert feedback(BASE + VIEW) == 200
    assert feedback(BASE + SIGN) == 401


def test_discovery_offers_what_the_client_may_call(desk: Desk) -> None:
    def offered(header: Json, claims: Json, name: str) -> set[str]:
        token = desk.token(header, {**claims, "aud": f"{BASE}/cds-services"}, ec(name))
        answer = desk.client.get("/cds-services", headers={"Authorization": f"Bearer {token}"})
        return {s["id"] for s in answer.get_json()["services"]}

    assert offered(desk.header(), desk.claims(), "ehr") == set(SERVICES)
    assert offered(other_header(desk), other(desk), "other") == {"magnesium-patient-view"}


def test_an_unknown_service_is_404_to_a_client_only(desk: Desk) -> None:
    path = "/cds-services/magnesium-x"
    assert desk.call(None, path).status_code == 401
    token = desk.token(claims=desk.claims(aud=BASE + path))
    assert desk.call(f"Bearer {token}", path).status_code == 404


def test_protocol_and_mode_of_the_client(desk: Desk) -> None:
    shown = desk.call("Bearer " + desk.token()).get_json()
    hidden = desk.call("Bearer " + desk.token(other_header(desk), other(desk), ec("other")))
    assert shown["cards"]
    assert hidden.data == b'{"cards":[]}'
    lines = [json.loads(line) for line in desk.out.getvalue().splitlines()]
    assert [(x["client"], x.get("tenant"), x["mode"]) for x in lines] == [
        (ISSUER, None, "live"),
        (OTHER, "north", "shadow"),
    ]


def test_shadow_prevails(tmp_path: Path) -> None:
    path = write_clients(tmp_path)
    path.write_text(path.read_text().replace('mode = "shadow"', 'mode = "live"'))
    settings = Settings(auth="jwt", clients=path, base_url=BASE, mode="shadow", secret=PATIENTS_KEY)
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    app = create_app(settings, now=lambda: NOW, observer=Observer(io.StringIO()), store=store)
    claims = {"iss": OTHER, "aud": BASE + VIEW, "exp": T0 + 300, "iat": T0, "jti": "1"}
    header = {"alg": "ES384", "typ": "JWT", "kid": "other-ec"}
    token = signed(header, {**claims, "tenant": "north"}, ec("other"))
    headers = {"Authorization": f"Bearer {token}"}
    sent = app.test_client().post(VIEW, json=request(), headers=headers)
    assert sent.data == b'{"cards":[]}'
    store.engine.dispose()


def test_a_plain_wire_is_refused(desk: Desk) -> None:
    def code(peer: str) -> int:
        headers = {"Authorization": "Bearer " + desk.token()}
        status: int = desk.client.post(
            VIEW, json=request(), headers=headers, environ_overrides={"REMOTE_ADDR": peer}
        ).status_code
        return status

    assert code("127.0.0.1") == 200
    assert code("10.0.0.7") == 401
    assert desk.reasons() == ["", "plaintext"]


# --- the store is down ------------------------------------------------------------------------


class _Down:
    def use_token(self, *_: object) -> bool:
        raise StoreDown("OperationalError")


def test_the_store_is_down(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.store.engine.dispose()
    desk.store.use_token = _Down().use_token
    token = "Bearer " + desk.token()
    assert desk.call(token).status_code == 200  # decision support goes on
    assert desk.call(token).status_code == 401  # this process still knows the token
    headers = {"Authorization": "Bearer " + desk.token()}
    for _ in range(2):  # and the same token may try again
        refused = desk.client.post(f"{VIEW}/feedback", json={"feedback": []}, headers=headers)
        assert refused.status_code == 503
        assert refused.get_json()["issue"][0]["code"] == "transient"
    assert '"store":"down"' in desk.out.getvalue()


# --- time tells nothing -----------------------------------------------------------------------


@pytest.mark.real_clock
def test_time_does_not_tell_whether_a_key_exists(tmp_path: Path) -> None:
    clients = read_clients(write_clients(tmp_path))
    trust = Trust(clients, _Down(), lambda: NOW)
    desk = Desk(tmp_path)
    shapes = {
        "known kid": desk.token(key=ec("attacker")),
        "unknown kid": desk.token(desk.header(kid="nobody"), key=ec("attacker")),
        "unknown issuer": desk.token(claims=desk.claims(iss="https://x.org"), key=ec("attacker")),
        "wrong tenant": desk.token(other_header(desk), other(desk, "x"), ec("attacker")),
        "wrong jku": desk.token(desk.header(jku=OTHER_JKU), key=ec("attacker")),
    }
    times: dict[str, list[float]] = {name: [] for name in shapes}
    for _ in range(60):
        for name, token in shapes.items():
            started = time.perf_counter()
            with pytest.raises(Refused):
                trust.caller(f"Bearer {token}", Call((BASE + VIEW,)))
            times[name].append(time.perf_counter() - started)
    middle = {name: median(found) for name, found in times.items()}
    # The verification is 0.4 ms and more; without it a refusal takes a tenth of that.
    assert max(middle.values()) < 1.5 * min(middle.values()), middle
    desk.store.engine.dispose()


# --- keys -------------------------------------------------------------------------------------


class Server:
    """A key server of a test: what it answers, and how often it was asked."""

    def __init__(self, *keys: Json) -> None:
        self.keys, self.asked, self.fails = list(keys), 0, False
        self.at = 0.0

    def fetch(self, url: str) -> bytes:
        assert url == JKU
        self.asked += 1
        if self.fails:
            raise KeysError("down")
        return json.dumps({"keys": self.keys}).encode()

    def source(self) -> Fetched:
        return Fetched(JKU, self.fetch, lambda: self.at)


def test_rotation_refetches_at_most_once_a_minute() -> None:
    server = Server(public(ec("one"), "one"))
    source = server.source()
    assert source.find("one", "EC")
    assert server.asked == 1
    server.keys = [public(ec("two"), "two")]
    server.at = 30
    assert source.find("two", "EC") is None  # within the minute
    server.at = 61
    assert source.find("two", "EC")
    assert source.find("one", "EC") is None  # withdrawn
    assert server.asked == 2
    for second in range(62, 121):
        server.at = second
        assert source.find("nobody", "EC") is None
    assert server.asked == 2
    assert source.find("two", "RSA") is None


def test_a_key_server_that_fails_keeps_the_old_keys_for_a_day() -> None:
    server = Server(public(ec("one"), "one"))
    source = server.source()
    assert source.find("one", "EC")
    server.fails, server.at = True, 3600
    assert source.find("one", "EC")
    assert source.find("two", "EC") is None
    server.at = 86_500
    assert source.find("one", "EC") is None


def test_a_known_key_is_asked_for_again_behind_the_callers_back() -> None:
    server = Server(public(ec("one"), "one"))
    source = server.source()
    assert source.find("one", "EC")
    server.keys, server.at = [public(ec("two"), "two")], 901
    assert source.find("one", "EC")
    end = time.monotonic() + 5
    while source.find("one", "EC") and time.monotonic() < end:
        time.sleep(0.01)
    assert source.find("one", "EC") is None
    assert server.asked == 2


def test_many_threads_fetch_once() -> None:
    server = Server(public(ec("one"), "one"))
    slow = threading.Event()

    def fetch(url: str) -> bytes:
        slow.wait(2)
        return server.fetch(url)

    source = Fetched(JKU, fetch, lambda: server.at)
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(source.find, "one", "EC") for _ in range(4)]
        slow.set()
        assert all(f.result() for f in found)
    assert server.asked == 1


PRIVATE = {**ec("one").as_dict(private=True), "kid": "one"}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([public(ec("one"), "a")], {("a", "EC")}),
        ([PRIVATE], {("one", "EC")}),
        ([public(ec("one"), "a"), public(rsa("one"), "a")], {("a", "EC"), ("a", "RSA")}),
        ([public(ec("one"), "a"), public(ec("two"), "a"), public(ec("two"), "b")], {("b", "EC")}),
        ([public(ec("one"), "a", use="sig", alg="ES384")], {("a", "EC")}),
        (
            [public(ec("one"), "a"), None, 7, {"kid": "b", "kty": "EC", "crv": "P-384"}],
            {("a", "EC")},
        ),
    ],
)
def test_which_keys_of_a_set_count(keys: list[Any], found: set[tuple[str, str]]) -> None:
    read = read_jwks(json.dumps({"keys": keys}).encode())
    assert set(read) == found
    assert not any(key.is_private for key in read.values())


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [public(ec("p256", "P-256"), "a")],
        [public(ec("one"), "a", use="enc")],
        [public(ec("one"), "a", alg="ES256")],
        [public(ec("one"), "a", key_ops=["sign"])],
        [dropped(public(ec("one"), "a"), "kid")],
        [public(ec("one"), "")],
        [public(rsa("small", 1024), "a")],
        [public(rsa("one"), "a", alg="RS256")],
        [public(rsa("one"), "a", e="A" * 600)],
        [public(rsa("one"), "a", n="A" * 4000)],
        [{**OctKey.generate_key(384).as_dict(), "kid": "a"}],
        [public(ec("one"), "a", x=b64(bytes(48)))],
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_set_without_a_usable_key(keys: list[Json]) -> None:
    with pytest.raises(KeysError, match="no key"):
        read_jwks(json.dumps({"keys": keys}).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"keys": 7}', b"\xff", b"[" * 100_000])
def test_no_set_at_all(data: bytes) -> None:
    with pytest.raises(KeysError):
        read_jwks(data)


# --- fetching keys ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, made here, and its key."""
    from tests.certificate import write_certificate

    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def key_server(tls: tuple[Path, Path], loopback: None) -> Iterator[Any]:
    import ssl

    from pytest_httpserver import HTTPServer

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    server = HTTPServer(host="localhost", ssl_context=context)
    server.start()
    yield server
    server.clear()
    if server.is_running():
        server.stop()


@pytest.mark.real_clock
def test_keys_come_over_https(key_server: Any, tls: tuple[Path, Path]) -> None:
    jwks = {"keys": [public(ec("one"), "one")]}
    key_server.expect_request("/jwks").respond_with_json(jwks)
    url = key_server.url_for("/jwks")
    assert read_jwks(fetch_jwks(url, str(tls[0])))
    with pytest.raises(KeysError, match="SSLError"):
        fetch_jwks(url)  # nobody vouches for this certificate
    with pytest.raises(KeysError, match="https only"):
        fetch_jwks(url.replace("https", "http"))


@pytest.mark.real_clock
def test_a_redirect_an_error_and_a_flood_bring_no_keys(
    key_server: Any, tls: tuple[Path, Path]
) -> None:
    from werkzeug import Response

    key_server.expect_request("/away").respond_with_response(
        Response(status=302, headers={"Location": key_server.url_for("/jwks")})
    )
    key_server.expect_request("/jwks").respond_with_json({"keys": []})
    key_server.expect_request("/gone").respond_with_data("", status=404)
    key_server.expect_request("/flood").respond_with_data(" " * 300_000)
    for path in ("/away", "/gone", "/flood"):
        with pytest.raises(KeysError):
            fetch_jwks(key_server.url_for(path), str(tls[0]))
    assert [r.path for r, _ in key_server.log] == ["/away", "/gone", "/flood"]


@pytest.mark.real_clock
def test_a_key_server_that_dribbles_is_given_up(
    tls: tuple[Path, Path], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.trust import keys

    monkeypatch.setattr(keys, "FETCH_S", 0.3)

    def dribble() -> Iterator[bytes]:
        for _ in range(20):
            time.sleep(0.1)
            yield b" "

    from werkzeug import Response

    key_server.expect_request("/slow").respond_with_handler(lambda _: Response(dribble()))
    started = time.perf_counter()
    with pytest.raises(KeysError):
        fetch_jwks(key_server.url_for("/slow"), str(tls[0]))
    assert time.perf_counter() - started < 1.5


# --- the clients file -------------------------------------------------------------------------


def refusal(folder: Path, text: str) -> str:
    (folder / "keys.json").write_text(json.dumps({"keys": [public(ec("one"), "one")]}))
    (folder / "empty.json").write_text('{"keys": []}')
    path = folder / "clients.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_clients(path)
    return str(caught.value).replace(str(path), "FILE")


GOOD = '[[client]]\nissuer = "https://a.org"\njwks_file = "keys.json"\n'
BAD_FILES = {
    "": "FILE: expected [[client]] tables",
    "[client]\n": "expected [[client]] tables",
    "x = 1\n" + GOOD: "expected [[client]] tables and nothing else",
    "[[client]\n": "FILE: Expected ']]'",
    '[[client]]\njwks_file = "keys.json"\n': "FILE:1: client 1, issuer: is missing",
    '[[client]]\nissuer = "https://a.org"\n': "FILE:1: client 1: needs `jku` or `jwks_file`",
    GOOD + '\n[[client]]\nissuer = 7\njku = "https://a.org/k"\n': "FILE:6: client 2, issuer:",
    GOOD + "tenant = []\n": "FILE:4: client 1, tenant: there is no such entry",
    GOOD + 'jku = "http://a.org/k"\n': "FILE:4: client 1, jku: must be an https:// URL",
    GOOD + 'jku = "https://u:p@a.org/k"\n': "FILE:4: client 1, jku: must have no user",
    GOOD + 'services = ["magnesium"]\n': "FILE:4: client 1, services.1: is none of",
    GOOD + 'mode = "dead"\n': "FILE:4: client 1, mode:",
    GOOD + 'protocol = "nowhere"\n': "FILE:4: client 1, protocol: nowhere is neither",
    GOOD + 'protocol = "keys.json"\n': "FILE:4: client 1, protocol:",
    GOOD.replace("keys.", "no."): "FILE:3: client 1, jwks_file: no.json: No such file",
    GOOD.replace("keys.", "empty."): "FILE:3: client 1, jwks_file: empty.json has no key",
    GOOD + GOOD: "FILE:4: client 2, tenants: client 1 is for every tenant of this issuer, too",
    GOOD + 'tenants = ["a", "b"]\n' + GOOD + 'tenants = ["b"]\n': "for tenant b of this issuer",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_fault_in_the_clients_file_is_located(tmp_path: Path, text: str) -> None:
    assert BAD_FILES[text] in refusal(tmp_path, text)


def test_every_fault_is_told(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD + 'mode = "x"\nservices = ["y"]\n' + GOOD + "tenants = 7\n")
    assert len(told.splitlines()) == 3


def test_no_clients_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_clients(tmp_path / "none.toml")


def test_the_contracts_example(tmp_path: Path) -> None:
    (tmp_path / "sandbox-jwks.json").write_text(json.dumps({"keys": [public(ec("one"), "one")]}))
    path = tmp_path / "clients.toml"
    path.write_text(
        """[[client]]
issuer = "https://sandbox.cds-hooks.org"
jku = "https://sandbox.cds-hooks.org/.well-known/jwks.json"   # keys fetched and cached from here
jwks_file = "sandbox-jwks.json"   # or pinned keys, relative to this file
tenants = []                      # empty: any
services = []                     # empty: all
protocol = "standard"             # profile name or file
mode = "live"                     # or "shadow"
"""
    )
    (client,) = read_clients(path)
    assert client.issuer == "https://sandbox.cds-hooks.org"
    assert client.protocol is not None
    assert client.protocol.name == "standard"
    assert client.keys.find("one", "EC")


def test_one_issuer_with_an_entry_for_each_tenant(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public(ec("one"), "one")]}))
    path = tmp_path / "clients.toml"
    path.write_text(GOOD + 'tenants = ["a"]\nmode = "shadow"\n' + GOOD)
    trust = Trust(read_clients(path), _Down(), lambda: NOW)

    def mode(number: int, **more: Any) -> str | None:
        claims = {"iss": "https://a.org", "aud": BASE, "exp": T0 + 9, "iat": T0, "jti": str(number)}
        header = {"alg": "ES384", "typ": "JWT", "kid": "one"}
        token = signed(header, {**claims, **more}, ec("one"))
        return trust.caller(f"Bearer {token}", Call((BASE,))).mode

    assert mode(1, tenant="a") == "shadow"
    assert mode(2, tenant="b") is None
    assert mode(3) is None


# --- start ------------------------------------------------------------------------------------


def test_jwt_mode_needs_all_its_parts() -> None:
    with pytest.raises(ValueError, match="jwt mode needs"):
        create_app(Settings(auth="jwt"))


def test_every_service_and_route_denies_by_default(desk: Desk) -> None:
    for rule in desk.app.url_map.iter_rules():
        if rule.rule == "/static/<name>":
            continue  # stylesheets and scripts
        for service in [*SERVICES, "x"]:
            path = rule.rule.replace("<service_id>", service)
            send = desk.client.post if "POST" in (rule.methods or ()) else desk.client.get
            refused = send(path).status_code == 401
            assert refused is (path not in ("/healthz", "/readyz", "/protocol")), path
            assert desk.client.put(path).status_code == 401
            assert desk.client.options(path).status_code == 204
    assert copy.copy(desk.reasons()).count("") > 0
    assert desk.client.post(VIEW, data=body(request())).status_code == 401  # before the body
    assert desk.client.get("/nowhere").status_code == 401


def test_used_tokens_are_pruned(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    store: Store = desk.store
    for _ in range(3):
        assert desk.call("Bearer " + desk.token()).status_code == 200
    desk.now += timedelta(minutes=20)
    store._pruned = float("-inf")
    assert store.use_token(b"k" * 32, desk.now.timestamp() + 1, desk.now.timestamp())
    from sqlalchemy import func, select

    from service.store import used_token

    count = store.read(lambda c: c.execute(select(func.count()).select_from(used_token)).scalar())
    assert count == 1
    store.engine.dispose()
