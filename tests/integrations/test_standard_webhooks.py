"""Signatures of tills, with the reference package of the Standard Webhooks scheme as oracle."""

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.core import clock, security
from app.core.errors import UnauthenticatedError
from app.integrations.pos.standard_webhooks import MAXIMUM_SIGNATURES, verify

SECRET, OTHER_SECRET, THIRD_SECRET = (
    security.WEBHOOK_SECRET_PREFIX + b64encode(bytes([number]) * 32).decode()
    for number in (1, 2, 3)
)
NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
TOLERANCE_SECONDS = 300
BODY = b'{"type":"sale"}'

message_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}", fullmatch=True)
bodies = st.text(max_size=200).map(str.encode)
keys = st.binary(min_size=24, max_size=64)


def secret_of(key: bytes) -> str:
    """Return a key as a source's secret is written."""
    return security.WEBHOOK_SECRET_PREFIX + b64encode(key).decode()


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return one signature of the header, made by hand."""
    message = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(security.webhook_key(secret), message, hashlib.sha256).digest()
    return f"v1,{b64encode(digest).decode()}"


def headers_of(
    *secrets: str, message_id: str = "e-1", timestamp: str = str(NOW_SECONDS), body: bytes = BODY
) -> dict[str, str]:
    """Return headers with a signature by each of these secrets."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            signature(secret, message_id, timestamp, body) for secret in secrets
        ),
    }


def verdict(
    headers: dict[str, str],
    body: bytes = BODY,
    secrets: tuple[str, ...] = (SECRET,),
    now: datetime = NOW,
) -> str:
    """Return "valid", or the code of the refusal."""
    try:
        assert verify(headers, body, secrets, now, TOLERANCE_SECONDS) == headers["webhook-id"]
    except UnauthenticatedError as refusal:
        return refusal.code
    return "valid"


# --- The oracle -------------------------------------------------------------------------------


@given(key=keys, message_id=message_ids, body=bodies)
def test_what_the_package_signs_we_verify(key: bytes, message_id: str, body: bytes) -> None:
    secret, now = secret_of(key), clock.now()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body.decode()),
    }
    assert verdict(headers, body, (secret,), now) == "valid"


@given(key=keys, message_id=message_ids, body=bodies)
def test_what_we_sign_the_package_verifies(key: bytes, message_id: str, body: bytes) -> None:
    timestamp = str(int(clock.now().timestamp()))
    message = f"{message_id}.{timestamp}.".encode() + body
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{security.sign(key, message)}",
    }
    Webhook(secret_of(key)).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(key)).verify(body + b" ", headers, json_parse=False)


# --- Nothing may differ by a bit --------------------------------------------------------------


@given(body=st.binary(min_size=1, max_size=100), data=st.data())
def test_a_flipped_bit_of_the_body_is_refused(body: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[bit // 8] ^= 1 << bit % 8
    headers = headers_of(SECRET, body=body)
    assert verdict(headers, body) == "valid"
    assert verdict(headers, bytes(flipped)) == "webhook-signature-invalid"


@given(header=st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
       data=st.data())  # fmt: skip
def test_a_flipped_bit_of_a_header_is_refused(header: str, data: st.DataObject) -> None:
    headers = headers_of(SECRET, message_id="till-s01-1-0042")
    bit = data.draw(st.integers(0, len(headers[header]) * 7 - 1))
    flipped = bytearray(headers[header].encode())
    flipped[bit // 7] ^= 1 << bit % 7
    assert verdict(headers) == "valid"
    assert verdict({**headers, header: flipped.decode()}) == "webhook-signature-invalid"


def test_no_other_spelling_of_the_same_signature_is_taken() -> None:
    # The last character of a 32-byte signature has two bits that base64 does not use.
    headers = headers_of(SECRET)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    given_signature = headers["webhook-signature"]
    spelling = given_signature[:-2] + alphabet[alphabet.index(given_signature[-2]) ^ 1] + "="
    assert verdict({**headers, "webhook-signature": spelling}) == "webhook-signature-invalid"


# --- Several signatures, two live secrets -----------------------------------------------------


@pytest.mark.parametrize(
    ("signed_by", "live", "expected"),
    [
        pytest.param((SECRET,), (SECRET,), "valid", id="the one secret"),
        pytest.param((SECRET,), (OTHER_SECRET, SECRET), "valid", id="the old of two live ones"),
        pytest.param((OTHER_SECRET,), (OTHER_SECRET, SECRET), "valid", id="the new of two"),
        pytest.param((SECRET, OTHER_SECRET), (OTHER_SECRET,), "valid", id="by both, one live"),
        pytest.param((SECRET,), (OTHER_SECRET,), "webhook-signature-invalid", id="revoked"),
        pytest.param(
            (SECRET, THIRD_SECRET), (OTHER_SECRET,), "webhook-signature-invalid", id="by strangers"
        ),
        pytest.param((SECRET,), (), "webhook-signature-invalid", id="a source without secrets"),
    ],
)
def test_secrets_can_be_rotated(
    signed_by: tuple[str, ...], live: tuple[str, ...], expected: str
) -> None:
    assert verdict(headers_of(*signed_by), secrets=live) == expected


def test_nobodys_key_signs_nothing() -> None:
    # Without a secret the same work is done with a key of zeros: it must not become a secret.
    assert verdict(headers_of(secret_of(bytes(32))), secrets=()) == "webhook-signature-invalid"


def test_as_many_signatures_count_as_are_allowed() -> None:
    right = headers_of(SECRET)["webhook-signature"]
    wrong = headers_of(THIRD_SECRET)["webhook-signature"]
    for before, expected in (
        (MAXIMUM_SIGNATURES - 1, "valid"),
        (MAXIMUM_SIGNATURES, "webhook-signature-invalid"),
    ):
        header = " ".join([wrong] * before + [right])
        assert verdict({**headers_of(SECRET), "webhook-signature": header}) == expected


# --- Time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-301, "webhook-timestamp"),
        (-300, "valid"),
        (0, "valid"),
        (300, "valid"),
        (301, "webhook-timestamp"),
    ],
)
def test_a_signature_holds_for_five_minutes_either_way(seconds: int, expected: str) -> None:
    assert verdict(headers_of(SECRET), now=NOW + timedelta(seconds=seconds)) == expected


def test_a_wrong_signature_tells_nothing_about_time() -> None:
    headers = headers_of(THIRD_SECRET)
    late = NOW + timedelta(days=1)
    assert verdict(headers, now=late) == "webhook-signature-invalid"


# --- Malformed headers ------------------------------------------------------------------------

RIGHT = headers_of(SECRET)["webhook-signature"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param("webhook-signature", "", id="empty signature"),
        pytest.param("webhook-signature", " ", id="blank signature"),
        pytest.param("webhook-signature", "v1", id="version alone"),
        pytest.param("webhook-signature", "v1,", id="version without signature"),
        pytest.param("webhook-signature", ",", id="comma alone"),
        pytest.param("webhook-signature", RIGHT.removeprefix("v1,"), id="no version"),
        pytest.param("webhook-signature", RIGHT.replace("v1,", "v1a,"), id="asymmetric version"),
        pytest.param("webhook-signature", RIGHT.replace("v1,", "v2,"), id="another version"),
        pytest.param("webhook-signature", RIGHT.replace("v1,", "V1,"), id="capital version"),
        pytest.param("webhook-signature", RIGHT.replace(",", ":"), id="colon"),
        pytest.param("webhook-signature", RIGHT.replace(",", ", "), id="space within"),
        pytest.param("webhook-signature", RIGHT + ",", id="trailing comma"),
        pytest.param("webhook-signature", RIGHT + "\n", id="trailing newline"),
        pytest.param("webhook-signature", RIGHT.rstrip("="), id="no padding"),
        pytest.param("webhook-signature", "v1,签名", id="not ASCII"),
        pytest.param("webhook-signature", "v1,\udc80", id="lone surrogate"),
        pytest.param("webhook-signature", "v1,%%%", id="not base64"),
        pytest.param("webhook-signature", "v1," + "A" * 100_000, id="huge"),
        pytest.param("webhook-signature", "v1, " * 50_000, id="very many"),
        pytest.param("webhook-timestamp", "", id="no timestamp"),
        pytest.param("webhook-timestamp", f"-{NOW_SECONDS}", id="negative"),
        pytest.param("webhook-timestamp", f"+{NOW_SECONDS}", id="with a plus"),
        pytest.param("webhook-timestamp", f"{NOW_SECONDS}.0", id="float"),
        pytest.param("webhook-timestamp", "1.7e9", id="exponent"),
        pytest.param("webhook-timestamp", f"0{NOW_SECONDS}", id="leading zero"),
        pytest.param("webhook-timestamp", f" {NOW_SECONDS}", id="leading space"),
        pytest.param("webhook-timestamp", f"{NOW_SECONDS}\n", id="newline after it"),
        pytest.param("webhook-timestamp", f"{NOW_SECONDS},{NOW_SECONDS}", id="twice in one"),
        pytest.param("webhook-timestamp", "nan", id="not a number"),
        pytest.param("webhook-timestamp", "9" * 5_000, id="huge timestamp"),
        pytest.param("webhook-timestamp", "１７９５２５７０００", id="full-width digits"),
        pytest.param("webhook-timestamp", NOW.isoformat(), id="ISO 8601"),
        pytest.param("webhook-id", "", id="no id"),
        pytest.param("webhook-id", "e.1", id="a dot, which parts the message"),
        pytest.param("webhook-id", "e 1", id="space in the id"),
        pytest.param("webhook-id", "e-1\n", id="newline after the id"),
        pytest.param("webhook-id", "é-1", id="id not ASCII"),
        pytest.param("webhook-id", "e" * 129, id="id too long"),
    ],
)
def test_malformed_headers_are_refused_even_when_they_are_signed(header: str, value: str) -> None:
    headers = {**headers_of(SECRET), header: value}
    if header != "webhook-signature":
        # Signed as it stands: only the form is wrong.
        headers["webhook-signature"] = signature(
            SECRET, headers["webhook-id"], headers["webhook-timestamp"], BODY
        )
    assert verdict(headers) == "webhook-signature-invalid"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = headers_of(SECRET)
    del headers[missing]
    with pytest.raises(UnauthenticatedError) as refusal:
        verify(headers, BODY, (SECRET,), NOW, TOLERANCE_SECONDS)
    assert refusal.value.code == "webhook-signature-invalid"


anything = st.text(st.characters(codec=None), max_size=60)


@given(message_id=anything, timestamp=anything, given_signature=anything, body=st.binary())
@example("e-1", "99999999999", RIGHT, BODY)
def test_whatever_the_headers_say_it_is_a_refusal_and_no_other_error(
    message_id: str, timestamp: str, given_signature: str, body: bytes
) -> None:
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": given_signature,
    }
    assert verdict(headers, body) == "webhook-signature-invalid"
