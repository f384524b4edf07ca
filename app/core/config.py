"""Settings, read once from the environment (prefix ``HUIKE_``) and an optional ``.env`` file."""

import ipaddress
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

COMPLETENESS_INDIVIDUAL = (
    "phone=25,birthday=15,address=15,gender=10,email=10,region=5,occupation=5,interests=5,"
    "family=5,home_store=5"
)
COMPLETENESS_ORGANIZATION = (
    "contact=20,phone=15,address=15,industry=15,region=10,email=10,terms=10,size_band=5"
)
DEFAULT_SECRET_KEY = "insecure-secret-for-loopback-only"  # noqa: S105 - refused beyond loopback
MINIMUM_SECRET_LENGTH = 32
Days = Annotated[int, Field(ge=0, le=36_500)]
# The vocabulary's; settings are read before it is. A test compares the two.
_CONSENT_PURPOSES = ("service", "marketing", "greeting", "survey", "profiling", "sharing")
MAXIMUM_WEIGHT = 1_000_000


class UnsafeSettingsError(Exception):
    """The settings would expose the service; it refuses to start."""


class Settings(BaseSettings):
    """Everything an operator can set. Durations carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix="HUIKE_", env_file=".env", extra="ignore", frozen=True
    )

    database_url: str | None = Field(
        default=None,
        description="The service's own role, as postgresql+asyncpg://…; unset: embedded server.",
    )
    database_owner_url: str | None = Field(
        default=None,
        description="The owner role that migrates; unset: the same as database_url.",
    )
    database_service_role: str = Field(
        default="huike_service", description="The role that migrations grant the service's rights."
    )
    data_dir: Path = Field(
        default=Path(".huike"), description="Where the embedded server and demo secrets live."
    )
    embedded_run_as: str = Field(
        default="nobody", description="When root: the user that runs the embedded server."
    )
    timezone: str = Field(default="Asia/Shanghai", description="The chain's time zone (IANA).")
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$", description="ISO 4217.")
    phone_region: str = Field(
        default="CN", pattern=r"^[A-Z]{2}$", description="Region of phones without country code."
    )
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    secret_key: SecretStr = Field(
        default=SecretStr(DEFAULT_SECRET_KEY),
        description="Signs page cursors; at least 32 characters beyond loopback.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of web front ends, separated by commas."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks (CIDR) of proxies, separated by commas; only their "
        "`X-Forwarded-For` is believed.",
    )
    log_format: str = Field(default="json", pattern="^(json|console)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    pool_overflow: Annotated[int, Field(ge=0, le=200)] = 5
    pool_timeout_seconds: Annotated[float, Field(gt=0)] = 1.0
    statement_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    request_deadline_seconds: Annotated[float, Field(gt=0)] = 10.0
    batch_deadline_seconds: Annotated[float, Field(gt=0)] = 60.0
    export_deadline_seconds: Annotated[float, Field(gt=0)] = 900.0
    export_limit_rows: Annotated[int, Field(gt=0)] = 1_000_000
    graceful_stop_seconds: Annotated[int, Field(gt=0)] = 20

    body_limit_bytes: Annotated[int, Field(gt=0)] = 1_000_000
    event_limit_bytes: Annotated[int, Field(gt=0)] = 64_000
    batch_limit_bytes: Annotated[int, Field(gt=0)] = 16_000_000
    batch_limit_events: Annotated[int, Field(gt=0)] = 5_000
    import_limit_bytes: int = Field(
        default=300_000_000, gt=0, description="An imported file; it is never held as a whole."
    )
    upload_deadline_seconds: float = Field(
        default=900.0, gt=0, description="For the whole of an imported file to arrive."
    )
    upload_gap_seconds: float = Field(
        default=30.0, gt=0, description="An upload of which nothing more comes for so long ends."
    )

    webhook_tolerance_seconds: Annotated[int, Field(gt=0)] = 300
    token_idle_minutes: Annotated[int, Field(gt=0)] = 60 * 12
    token_absolute_minutes: Annotated[int, Field(gt=0)] = 60 * 24 * 7
    sign_in_attempts: int = Field(
        default=10, gt=0, description="Failed ones for one user name from one address, in a window."
    )
    sign_in_attempts_per_name: int = Field(
        default=100, gt=0, description="Failed ones for one user name from anywhere, in a window."
    )
    sign_in_attempts_per_address: int = Field(
        default=100, gt=0, description="Failed ones from one address, in a window."
    )
    sign_in_window_seconds: Annotated[int, Field(gt=0)] = 300
    idempotency_keep_hours: Annotated[int, Field(gt=0)] = 24 * 7

    return_period_days: Days = Field(
        default=7,
        description="A purchase defers an erasure of its customer so long; 0: not at all.",
    )
    merge_dispute_days: Days = Field(
        default=7, description="A merge defers an erasure of its customer so long; 0: not at all."
    )
    keep_disclosures_days: Days = Field(
        default=1095, description="How long it is kept who saw values in full; 0: for ever."
    )
    keep_events_days: Days = Field(
        default=730, description="How long till events are kept as they were sent; 0: for ever."
    )
    keep_test_events_days: Days = Field(
        default=30, description="The same for events that were sent as a test; 0: for ever."
    )
    keep_awaited_days: Days = Field(
        default=730,
        description="How long a purchase of somebody unknown waits for a card; 0: for ever.",
    )
    keep_unknown_callers_days: Days = Field(
        default=365, description="How long contacts with unknown callers are kept; 0: for ever."
    )
    keep_import_files_days: Days = Field(
        default=7, description="An import that nobody goes on with is cancelled so late; 0: never."
    )
    keep_delivered_days: Days = Field(
        default=30, description="How long delivered events of the outbox are kept; 0: for ever."
    )
    keep_inactive_cards_days: Days = Field(
        default=0,
        description="Archived cards without purchase or contact for so long are erased; 0: never.",
    )
    consent_unasked_purposes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("service",),
        description="Purposes that need no consent until it is withdrawn, separated by commas.",
    )
    interaction_edit_hours: int = Field(
        default=24, ge=0, le=24 * 365, description="How long who recorded a contact may correct it."
    )

    completeness_individual: str = Field(
        default=COMPLETENESS_INDIVIDUAL,
        description="What a complete card of a person says, with weights; what is left out counts "
        "nothing. Old cards follow in the night.",
    )
    completeness_organization: str = Field(
        default=COMPLETENESS_ORGANIZATION,
        description="The same for organizations.",
    )
    verification_days: Annotated[int, Field(gt=0, le=36_500)] = Field(
        default=365, description="A card that was not verified for so long is due for it."
    )

    @field_validator("cors_origins", "trusted_proxies", "consent_unasked_purposes", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _only_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError("an origin is scheme://host or scheme://host:port, nothing more")
        return value

    @field_validator("consent_unasked_purposes")
    @classmethod
    def _only_purposes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(_CONSENT_PURPOSES):
            raise ValueError(f"purposes are {', '.join(_CONSENT_PURPOSES)}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _only_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError("a proxy is an IP address or a network: 10.0.0.0/8") from error
        return value

    @field_validator("completeness_individual")
    @classmethod
    def _weights_of_individuals(cls, value: str) -> str:
        return _checked_weights(value, COMPLETENESS_INDIVIDUAL)

    @field_validator("completeness_organization")
    @classmethod
    def _weights_of_organizations(cls, value: str) -> str:
        return _checked_weights(value, COMPLETENESS_ORGANIZATION)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except KeyError as error:
            raise ValueError("not a time zone of the IANA database") from error
        return value

    @model_validator(mode="after")
    def _nested_limits(self) -> Self:
        if not (
            self.statement_timeout_seconds
            < self.request_deadline_seconds
            < self.graceful_stop_seconds
        ):
            raise ValueError(
                "statement_timeout_seconds < request_deadline_seconds < graceful_stop_seconds: "
                "a statement ends before its request does, a request before the service stops"
            )
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The chain's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def completeness_weights(self) -> Mapping[str, Mapping[str, int]]:
        """What the parts of a card weigh, by the kind of the card."""
        return {
            "individual": _weights(self.completeness_individual),
            "organization": _weights(self.completeness_organization),
        }

    def check_safe_to_serve(self) -> None:
        """Refuse to serve beyond loopback with a default or short secret.

        Raises:
            UnsafeSettingsError: the host is not a loopback address and the secret is weak.
        """
        secret = self.secret_key.get_secret_value()
        weak = secret == DEFAULT_SECRET_KEY or len(secret) < MINIMUM_SECRET_LENGTH
        if weak and not _is_loopback(self.host):
            raise UnsafeSettingsError(
                f"HUIKE_SECRET_KEY is the default or shorter than {MINIMUM_SECRET_LENGTH} "
                f"characters, and HUIKE_HOST={self.host} is not a loopback address. "
                "Set HUIKE_SECRET_KEY to a long random value, or serve on 127.0.0.1."
            )


@lru_cache
def _weights(text: str) -> Mapping[str, int]:
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    return {name.strip(): int(weight) for name, _, weight in pairs}


def _checked_weights(text: str, default: str) -> str:
    known = _weights(default)
    try:
        weights = _weights(text)
    except ValueError as error:
        raise ValueError("weights are written as phone=25,email=10") from error
    unknown = sorted(weights.keys() - known.keys())
    if unknown:
        raise ValueError(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
    if min(weights.values()) < 0 or not 1 <= sum(weights.values()) <= MAXIMUM_WEIGHT:
        raise ValueError(f"weights are not negative, and 1 to {MAXIMUM_WEIGHT} together")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
