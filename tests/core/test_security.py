"""Passwords, tokens, API keys and signatures."""

import asyncio
import hashlib
import threading
import zlib
from base64 import b64decode
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from app.core import security


async def test_passwords_are_hashed_with_argon2id_and_the_parameters_of_rfc_9106() -> None:
    parameters = extract_parameters(await security.hash_password("drei-Kraniche"))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)


async def test_two_hashes_of_one_password_differ_and_both_verify() -> None:
    first, second = [await security.hash_password("drei-Kraniche") for _ in range(2)]
    assert first != second
    assert await security.verify_password(first, "drei-Kraniche")
    assert await security.verify_password(second, "drei-Kraniche")
    assert not await security.verify_password(first, "drei-kraniche")


@pytest.mark.parametrize("broken", ["", "unusable", "$argon2id$v=19$m=65536,t=3,p=4$$", "$2b$12$x"])
async def test_what_is_no_hash_verifies_nothing(broken: str) -> None:
    assert not await security.verify_password(broken, "")


async def test_a_hash_with_less_work_is_to_be_made_again() -> None:
    assert security.needs_rehash(PasswordHasher(time_cost=1).hash("x"))
    assert not security.needs_rehash(await security.hash_password("x"))


class _Counting:
    """A hasher that notes where and how many at once it works."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.working = 0
        self.most = 0
        self.lock = threading.Lock()
        self.both = threading.Barrier(2, timeout=10)

    def hash(self, password: str) -> str:
        """Wait until a second one works beside."""
        with self.lock:
            self.threads.add(threading.get_ident())
            self.working += 1
            self.most = max(self.most, self.working)
        self.both.wait()
        with self.lock:
            self.working -= 1
        return password


async def test_hashing_leaves_the_loop_free_and_goes_on_two_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher: Any = _Counting()
    monkeypatch.setattr(security, "_hasher", hasher)
    hashing = [asyncio.create_task(security.hash_password(f"{number}")) for number in range(6)]
    assert await asyncio.gather(*hashing) == [f"{number}" for number in range(6)]
    assert threading.get_ident() not in hasher.threads
    assert hasher.most == 2


def test_tokens_have_256_random_bits() -> None:
    tokens = {security.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {len("hkt_") + 43}


def test_an_api_key_is_prefix_64_hex_digits_and_their_crc_32() -> None:
    key = security.new_api_key()
    assert key.startswith("hkk_")
    assert key[68:] == f"{zlib.crc32(key[4:68].encode()):08x}"
    assert security.is_well_formed_api_key(key)
    assert security.api_key_display_prefix(key) == key[:12]


def test_a_mistyped_api_key_is_recognised_without_the_database() -> None:
    key = security.new_api_key()
    for place in range(4, len(key)):
        wrong = "0" if key[place] != "0" else "1"
        assert not security.is_well_formed_api_key(key[:place] + wrong + key[place + 1 :])
    for broken in ("", "hkk_", key[:-1], key + "0", key[4:], key.replace("hkk_", "hkt_")):
        assert not security.is_well_formed_api_key(broken)


def test_the_stored_form_of_a_secret_is_its_sha_256() -> None:
    assert security.hash_secret("hkt_x") == hashlib.sha256(b"hkt_x").hexdigest()


def test_a_webhook_secret_is_32_bytes_in_base64_after_its_prefix() -> None:
    secret = security.new_webhook_secret()
    assert secret.startswith("whsec_")
    assert security.webhook_key(secret) == b64decode(secret.removeprefix("whsec_"))
    assert len(security.webhook_key(secret)) == 32
    with pytest.raises(ValueError, match="whsec_ followed by base64"):
        security.webhook_key("whsec_***")


def test_a_signature_is_the_known_hmac_of_the_message() -> None:
    # RFC 4231, test case 2.
    known = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert b64decode(security.sign(b"Jefe", b"what do ya want for nothing?")) == known
