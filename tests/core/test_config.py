"""Settings: safe by default, refused when they would expose the service or contradict."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.core.config import DEFAULT_SECRET_KEY, Settings, UnsafeSettingsError
from app.core.database import Database
from app.main import create_app

PROJECT = Path(__file__).resolve().parents[2]
LONG = "s" * 32


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]  # checked when it is made


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "crm.example.com", ""])
@pytest.mark.parametrize("secret", [DEFAULT_SECRET_KEY, "s" * 31, ""])
def test_beyond_loopback_a_weak_secret_is_refused(host: str, secret: str) -> None:
    with pytest.raises(UnsafeSettingsError, match="HUIKE_SECRET_KEY"):
        settings(host=host, secret_key=secret).check_safe_to_serve()


@pytest.mark.parametrize(
    ("host", "secret"),
    [
        ("127.0.0.1", DEFAULT_SECRET_KEY), ("127.8.8.8", ""), ("::1", "short"),
        ("localhost", DEFAULT_SECRET_KEY), ("0.0.0.0", LONG), ("crm.example.com", LONG),
    ],
)  # fmt: skip
def test_loopback_or_a_long_secret_is_safe(host: str, secret: str) -> None:
    settings(host=host, secret_key=secret).check_safe_to_serve()


def test_the_application_is_not_made_from_unsafe_settings(database: Database) -> None:
    with pytest.raises(UnsafeSettingsError):
        create_app(settings(host="0.0.0.0"), database)


def test_a_refusal_does_not_show_the_secret() -> None:
    weak = settings(host="0.0.0.0", secret_key="canary-1")
    with pytest.raises(UnsafeSettingsError) as refusal:
        weak.check_safe_to_serve()
    assert "canary-1" not in str(refusal.value) + repr(weak)
    assert weak.secret_key == SecretStr("canary-1")


def test_origins_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIKE_CORS_ORIGINS", "https://a.example.com, http://b.example.com:8080,")
    assert settings().cors_origins == ("https://a.example.com", "http://b.example.com:8080")


def test_no_proxy_is_trusted_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().trusted_proxies == ()
    monkeypatch.setenv("HUIKE_TRUSTED_PROXIES", "10.0.0.5, 192.168.0.0/24,::1")
    assert settings().trusted_proxies == ("10.0.0.5", "192.168.0.0/24", "::1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUIKE_CORS_ORIGINS", "*"),
        ("HUIKE_CORS_ORIGINS", "https://a.example.com/"),
        ("HUIKE_CORS_ORIGINS", "a.example.com"),
        ("HUIKE_TRUSTED_PROXIES", "*"),
        ("HUIKE_TRUSTED_PROXIES", "10.0.0.1,proxy.example.com"),
        ("HUIKE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HUIKE_TIMEZONE", "Asia/Nowhere"),
        ("HUIKE_TIMEZONE", "../etc/passwd"),
        ("HUIKE_CURRENCY", "yuan"),
        ("HUIKE_PORT", "65536"),
        ("HUIKE_POOL_SIZE", "0"),
        ("HUIKE_BODY_LIMIT_BYTES", "-1"),
        ("HUIKE_BATCH_LIMIT_EVENTS", "0"),
        ("HUIKE_SIGN_IN_ATTEMPTS", "0"),
        ("HUIKE_SIGN_IN_ATTEMPTS_PER_NAME", "0"),
        ("HUIKE_LOG_FORMAT", "xml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        settings()
    assert [error["loc"] for error in refusal.value.errors()] == [
        (name.removeprefix("HUIKE_").lower(),)
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"statement_timeout_seconds": 10.0},
        {"request_deadline_seconds": 5.0},
        {"request_deadline_seconds": 20.0},
        {"graceful_stop_seconds": 10},
    ],
)
def test_limits_that_are_not_nested_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="a statement ends before its request does"):
        settings(**values)


def test_the_defaults_are_nested_as_documented() -> None:
    default = settings()
    assert default.statement_timeout_seconds == 5
    assert default.request_deadline_seconds == 10
    assert default.graceful_stop_seconds == 20
    assert default.pool_timeout_seconds == 1


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValidationError):
        settings().port = 1  # type: ignore[misc]  # the assignment is what is tested


def test_the_example_shows_every_setting() -> None:
    checked = subprocess.run(
        [sys.executable, "tools/check_env_example.py"],
        cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("phone", "weights are written as phone=25,email=10"),
        ("phone=x", "weights are written as phone=25,email=10"),
        ("", "weights are written as phone=25,email=10"),
        ("phone=1,shoe_size=2", "no such part: shoe_size"),
        ("industry=1", "no such part: industry"),
        ("phone=0", "weights are not negative"),
        ("phone=2,email=-1", "weights are not negative"),
        ("phone=1000001", "weights are not negative"),
    ],
)
def test_weights_of_completeness_are_named_parts_with_whole_numbers(
    written: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(completeness_individual=written)


def test_weights_of_completeness_can_be_changed() -> None:
    changed = settings(completeness_organization="phone = 3, contact=1")
    assert changed.completeness_weights["organization"] == {"phone": 3, "contact": 1}
