"""Settings: complete, or the service does not start and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config.settings import Settings, SettingsError, described, is_loopback, read_settings

# The contract's names: a client's set-up uses them.
NAMES = """PROTOCOL DATABASE_URL AUTH CLIENTS FHIR_HOSTS BASE_URL CORS_ORIGINS MAX_BODY_MB
    RATE_LIMIT SECRET PAGES_PASSWORD METRICS_TOKEN MODE FHIR_DEADLINE_S TLS_CERT TLS_KEY PROXIES
    CLOCK TIMEZONE""".split()


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings()
    return str(caught.value)


def test_the_names_of_the_contract() -> None:
    assert [name for name, _, _ in described()] == [f"REPLETION_{name}" for name in NAMES]
    assert all(text for _, _, text in described())


def test_defaults() -> None:
    settings = read_settings()
    assert settings.protocol == "standard"
    assert settings.auth == "open"
    assert settings.max_body == 10_000_000
    assert settings.origins == ("*",)
    assert settings.fhir_hosts == ()
    assert str(settings.timezone) == "UTC"


def test_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_FHIR_HOSTS", "ehr.example.org, localhost:8443,")
    monkeypatch.setenv("REPLETION_CORS_ORIGINS", "https://a.example.org")
    monkeypatch.setenv("REPLETION_TIMEZONE", "Europe/Helsinki")
    monkeypatch.setenv("REPLETION_MAX_BODY_MB", "0.5")
    settings = read_settings()
    assert settings.fhir_hosts == ("ehr.example.org", "localhost:8443")
    assert settings.origins == ("https://a.example.org",)
    assert str(settings.timezone) == "Europe/Helsinki"
    assert settings.max_body == 500_000


def test_jwt_mode_lets_no_origin_in_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_AUTH", "jwt")
    assert read_settings().origins == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PROTCOL", "x", "REPLETION_PROTCOL: there is no such setting"),
        ("AUTH", "none", "REPLETION_AUTH: must be 'open' or 'jwt'"),
        ("MODE", "dead", "REPLETION_MODE: must be 'live' or 'shadow'"),
        ("MAX_BODY_MB", "many", "REPLETION_MAX_BODY_MB: must be a number"),
        ("MAX_BODY_MB", "0", "REPLETION_MAX_BODY_MB: must be more than 0"),
        ("FHIR_DEADLINE_S", "31", "REPLETION_FHIR_DEADLINE_S: must be at most 30"),
        ("TIMEZONE", "Mars/Olympus", "REPLETION_TIMEZONE: no such time zone"),
        ("TIMEZONE", "../etc/passwd", "REPLETION_TIMEZONE: no such time zone"),
        ("CLIENTS", "/nowhere/clients.toml", "REPLETION_CLIENTS: no such file: /nowhere"),
        ("TLS_CERT", "/nowhere/cert.pem", "go together"),
        ("BASE_URL", "ehr.example.org", "REPLETION_BASE_URL: starts with"),
        ("BASE_URL", "https://", "names a host"),
        ("BASE_URL", "https://a.org/?x=1", "has no query"),
        ("BASE_URL", "https://u:p@a.org", "has no query, fragment, user or password"),
        ("PROXIES", "*", "REPLETION_PROXIES: expected IP addresses or networks"),
        ("PROXIES", "proxy.example.org", "REPLETION_PROXIES: expected IP addresses"),
        ("RATE_LIMIT", "-1", "REPLETION_RATE_LIMIT: must be at least 0"),
    ],
)
def test_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"REPLETION_{name}", value)
    assert words in refusal()


def test_every_reason_is_told_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_AUTH", "s3cret")
    monkeypatch.setenv("REPLETION_MODE", "s3cret")
    told = refusal()
    assert "REPLETION_AUTH" in told
    assert "REPLETION_MODE" in told
    assert "s3cret" not in told


def test_the_secret_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_SECRET", "s3cret and long enough")
    assert "s3cret" not in repr(read_settings())
    monkeypatch.setenv("REPLETION_SECRET", "s3cret")
    assert refusal() == "REPLETION_SECRET: has at least 16 characters"
    monkeypatch.setenv("REPLETION_SECRET", "s3cret and long enough")
    monkeypatch.setenv("REPLETION_METRICS_TOKEN", "s3cret")
    assert refusal() == "REPLETION_METRICS_TOKEN: has at least 16 characters"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_open_mode_on_loopback(host: str) -> None:
    assert is_loopback(host)
    read_settings().check_start(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "ehr.example.org", ""])
def test_open_mode_elsewhere_does_not_start(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback only"):
        read_settings().check_start(host)


JWT = {
    "auth": "jwt",
    "clients": Path(__file__),
    "base_url": "https://repletion.example.org",
    "secret": "of the patients of tests",
    "proxies": ("10.0.0.1", "10.1.0.0/16"),
}


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("clients", "needs REPLETION_CLIENTS"),
        ("base_url", "needs REPLETION_BASE_URL"),
        ("secret", "needs REPLETION_SECRET"),
        ("proxies", "starts only with TLS"),
    ],
)
def test_jwt_mode_does_not_start_without(left_out: str, words: str) -> None:
    Settings(**JWT).check_start("0.0.0.0")
    with pytest.raises(SettingsError, match=words):
        Settings(**{k: v for k, v in JWT.items() if k != left_out}).check_start("127.0.0.1")


def test_jwt_mode_starts_with_our_own_tls() -> None:
    files = {"tls_cert": Path(__file__), "tls_key": Path(__file__)}
    Settings(**{**JWT, **files, "proxies": ()}).check_start("0.0.0.0")


def test_a_token_is_not_for_a_plain_url_except_on_loopback() -> None:
    Settings(**{**JWT, "base_url": "http://127.0.0.1:8080"}).check_start("127.0.0.1")
    with pytest.raises(SettingsError, match="https:// in jwt mode"):
        Settings(**{**JWT, "base_url": "http://ehr.example.org"}).check_start("0.0.0.0")


def test_every_reason_not_to_start_is_told() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(auth="jwt").check_start("0.0.0.0")
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("peer", "private"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.0.1", True),
        ("10.1.200.3", True),
        ("10.0.0.2", False),
        ("192.0.2.1", False),
        ("", False),
        (None, False),
        ("proxy", False),
    ],
)
def test_whose_wire_is_private(peer: str | None, private: bool) -> None:
    assert Settings(**JWT).is_private(peer) is private
    files = {"tls_cert": Path(__file__), "tls_key": Path(__file__)}
    assert Settings(**JWT, **files).is_private(peer)


def test_the_base_url_has_no_slash_at_its_end() -> None:
    assert Settings(base_url="https://a.org/mg/").base_url == "https://a.org/mg"


def test_the_rate_limit_is_for_clients_that_have_a_name() -> None:
    assert Settings().rate == 0
    assert Settings(auth="jwt").rate == 200
    assert Settings(auth="jwt", rate_limit=0).rate == 0


def test_the_databases_password_never_shows() -> None:
    assert "s3cret" not in repr(Settings(database_url="postgresql://u:s3cret@h/d"))


def test_the_test_clock_is_for_open_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLETION_CLOCK", "last-result")
    assert read_settings().clock == "last-result"
    monkeypatch.setenv("REPLETION_AUTH", "jwt")
    assert "REPLETION_CLOCK" in refusal()


def test_tls_files_go_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.pem").touch()
    monkeypatch.setenv("REPLETION_TLS_CERT", str(tmp_path / "x.pem"))
    monkeypatch.setenv("REPLETION_TLS_KEY", str(tmp_path / "x.pem"))
    assert read_settings().tls_key == tmp_path / "x.pem"
