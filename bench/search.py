"""The search over a million cards, measured against exact look-ups in the same run, in turn."""

import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import asyncpg
import httpx

from app.core import security
from app.core.config import Settings
from app.core.database import Database
from app.rules.access import SYSTEM
from app.schemas.customer_search import CustomerSearch
from app.schemas.customers import IdentityReference
from app.services.customer_identities import lookup_customer
from app.services.customer_search import search_customers
from app.vocabulary import IdentityKind, Permission
from bench.people import STORES, surname_shares

CARDS: Final = 1_000_000
ROUNDS: Final = 120
PROMISED: Final = 5.0
"""So many times an exact look-up's 95 % a search's may be."""

_EXACT: Final = "exact look-up"
_FIXED: Final[Mapping[str, Sequence[str]]] = {
    "one character, common surname": ("王", "李", "张", "刘", "陈"),
    "one character inside names": ("明", "伟", "朗", "芳", "晨"),
    "two characters": ("王明", "李芳", "张伟", "刘丽", "陈静"),
    "a whole name": ("李明朗", "王建国", "张晓东", "刘志强", "赵永安"),
    "given name": ("明朗", "建国", "晓东", "志强", "永安"),
    "one letter": ("w", "l", "z", "c", "y"),
    "full pinyin": ("limin", "wangjian", "zhangxiaodong", "liuzhi", "chenwei"),
    "initials": ("lml", "wjg", "zxd", "lzq", "cw"),
    "pinyin of a given name": ("minglang", "jianguo", "xiaodong", "zhiqiang", "yongan"),
    "characters and letters mixed": ("李ml", "王jg", "li明", "liml", "黎m"),
    "another reading of a surname": ("dan", "zengm", "qu", "jiem", "chou"),
    "traditional, full width": ("劉", "張偉", "ｌｉｍｉｎ", "陳靜", "趙永安"),
    "an organization": ("上海", "图书", "图书有限公司", "beijing", "wuhan"),
    "nobody": ("龘龘", "xqzv", "李龘", "00000000001", "nobody@nowhere"),
}


def queries(chance: random.Random) -> dict[str, str]:
    """Return a search text of each kind."""
    number = chance.randrange(CARDS)
    phone = f"139{number * 7919 % 100_000_000:08}"
    fixed = {kind: chance.choice(texts) for kind, texts in _FIXED.items()}
    return {
        **fixed,
        "any surname": chance.choice(list(surname_shares())),
        "last four digits of a phone": phone[-4:],
        "a whole phone": f"{phone[:3]} {phone[3:7]} {phone[7:]}",
        "a member number": f"hk{number:08}",
        "an e-mail address": f"reader{number - number % 3}@example.com",
    }


Ask = Callable[[str | None, str], Awaitable[object]]
"""Ask for a member number where the first is None, else search, first the store's customers."""


async def measured(ask: Ask, store_ids: Sequence[str]) -> str:
    """Return a table: each kind of search beside the exact look-up, asked in turn."""
    chance = random.Random(3)
    taken: dict[str, list[float]] = defaultdict(list)

    async def timed(kind: str, store_id: str | None, text: str) -> None:
        began = time.perf_counter()
        await ask(store_id, text)
        taken[kind].append(time.perf_counter() - began)

    for round_number in range(ROUNDS + 10):
        if round_number == 10:
            # By then every statement is prepared.
            taken.clear()
        for kind, text in queries(chance).items():
            await timed(_EXACT, None, f"HK{chance.randrange(CARDS):08}")
            await timed(kind, chance.choice(store_ids), text)
    exact = _share(taken[_EXACT], 0.95)
    lines = []
    for kind, seconds in taken.items():
        half, most = _share(seconds, 0.5), _share(seconds, 0.95)
        lines.append(f"| {kind} | {half * 1000:,.1f} | {most * 1000:,.1f} | {most / exact:,.1f} |")
    return "\n".join(lines)


def _share(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def over_services(database: Database, settings: Settings) -> Ask:
    """Return a way to ask the services in this process, each time in a transaction."""

    async def ask(store_id: str | None, text: str) -> object:
        async with database.transaction() as session:
            if store_id is None:
                reference = IdentityReference(kind=IdentityKind.MEMBER_NUMBER, value=text)
                return await lookup_customer(session, settings, reference)
            given = CustomerSearch.model_validate({"query": text, "store_id": store_id})
            return await search_customers(session, SYSTEM, settings, given)

    return ask


def over_http(client: httpx.AsyncClient, api_key: str) -> Ask:
    """Return a way to ask the service in its own process."""
    headers = {"X-API-Key": api_key}

    async def ask(store_id: str | None, text: str) -> object:
        if store_id is None:
            path, body = "lookup", {"kind": "member_number", "value": text}
        else:
            path, body = "search", {"query": text, "store_id": store_id}
        answer = await client.post(f"/v1/customers/{path}", headers=headers, json=body)
        answer.raise_for_status()
        return answer

    return ask


async def write_api_key(dsn: str) -> tuple[str, list[str]]:
    """Write a key that may read cards, as the owner; return it, and the ids of the stores."""
    key = security.new_api_key()
    connection = await asyncpg.connect(dsn)
    try:
        client_id = await connection.fetchval(
            "INSERT INTO api_client (id, name, scopes, version, created_at, updated_at)"
            " VALUES (gen_random_uuid(), 'bench', $1, 1, now(), now()) RETURNING id",
            [str(Permission.CUSTOMERS_READ)],
        )
        await connection.execute(
            "INSERT INTO api_key (id, client_id, slot, prefix, key_hash, created_at)"
            " VALUES (gen_random_uuid(), $1, 1, $2, $3, now())",
            client_id,
            security.api_key_display_prefix(key),
            security.hash_secret(key),
        )
        stores = await connection.fetch("SELECT id FROM store ORDER BY id")
    finally:
        await connection.close()
    assert len(stores) == STORES
    return key, [str(row[0]) for row in stores]


def page_of(services: str, http: str) -> str:
    """Return the part of the results that tells of the search."""
    head = "| ms, half of the answers | ms, 95 % | × exact look-up, 95 % |\n|---|---:|---:|---:|\n"
    return f"""
## Search over {CARDS:,} made-up cards

Each search is asked in turn with an exact look-up of a member number.
Promised: at most {PROMISED:.0f} times the exact look-up's 95 %.

| over HTTP {head}{http}

| in the process, services and database {head}{services}
"""
