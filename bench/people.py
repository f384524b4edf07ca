"""A million made-up cards, named as people in China are, with the keys they are found by.

Surnames occur as often as in ``surnames.csv`` (percent of the population: the first three from the
count of the Ministry of Public Security, 2007, the others as published from the surveys of the
Institute of Genetics, Chinese Academy of Sciences; below 0.1 percent they are estimates). Given
names are composed from common characters, some more common than others.
"""

import csv
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import asyncpg

from app.locale.name_keys import name_keys
from app.queries.search_keys import part_of_name_key
from app.rules.search_places import KeyPart

SURNAME_SHARES: Final = Path(__file__).with_name("surnames.csv")
STORES: Final = 200
_GIVEN: Final = (
    "明伟芳秀英敏静丽强磊军洋勇艳杰娟涛文超兰霞平刚桂华建国志海红玉梅春燕辉玲龙飞鹏浩宇轩梓涵欣怡晨雨佳"
    "琪俊博天佑长永林晓东东生金荣福云成新凤小宏德光波庆子家振学民清立朝中松安正和义少忠元兴利祥世良一宝"
    "大珍莲琴芬素雪瑞慧婷雅思嘉朗悦诗琳妍萱泽昊睿铭凯翔峰彬旭鑫帆健康乐行远知书礼仁达航铁树根水冬冰露"
)
_DISTINCT_GIVEN: Final = 4_000
_ORGANIZATIONS: Final = 2_000
_PLACES: Final = ("北京", "上海", "重庆", "南京", "杭州", "成都", "西安", "武汉", "长沙", "苏州")
_TRADES: Final = ("图书有限公司", "文化传播中心", "实验小学", "第三中学", "贸易公司", "卫生站")


def surname_shares() -> dict[str, float]:
    """Return the percentage of the population that bears each surname."""
    with SURNAME_SHARES.open(encoding="utf-8") as file:
        return {row["surname"]: float(row["percent"]) for row in csv.DictReader(file)}


def made_up_names(count: int, seed: int = 11) -> tuple[list[str], list[int]]:
    """Return different names, and for each of ``count`` cards the number of its name.

    One card in fifty is an organization's; those come last.
    """
    chance = random.Random(seed)
    characters = list(dict.fromkeys(_GIVEN))
    weights = [1 / (place + 12) for place in range(len(characters))]
    drawn = chance.choices(characters, weights, k=2 * _DISTINCT_GIVEN)
    given = [
        first if number % 7 == 0 else first + second
        for number, (first, second) in enumerate(zip(drawn[::2], drawn[1::2], strict=True))
    ]
    shares = surname_shares()
    people = count - count // 50
    popular = list(accumulate(1 / (place + 400) for place in range(len(given))))
    pairs = zip(
        chance.choices(list(shares), list(shares.values()), k=people),
        chance.choices(given, cum_weights=popular, k=people),
        strict=True,
    )
    numbers: dict[str, int] = {}
    cards = [numbers.setdefault(surname + rest, len(numbers)) for surname, rest in pairs]
    first = len(numbers)
    for number in range(_ORGANIZATIONS):
        middle = "".join(chance.choices(characters, weights, k=2))
        name = f"{_PLACES[number % 10]}{middle}{_TRADES[number % 6]}"
        numbers.setdefault(name, len(numbers))
    cards += [first + number % (len(numbers) - first) for number in range(count - people)]
    return list(numbers), cards


def key_rows(names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield number of the name, part, number within it, and texts of every key of every name."""
    for number, name in enumerate(names):
        counts: Counter[KeyPart] = Counter()
        for key in name_keys(name):
            part = part_of_name_key(key)
            yield number, part, counts[part], key.characters, key.letters, key.initials
            counts[part] += 1


_MAKE_STAGES = """
    CREATE UNLOGGED TABLE made_name (name_number int, name text);
    CREATE UNLOGGED TABLE made_card (number int, name_number int, is_organization boolean);
    CREATE UNLOGGED TABLE made_key (
        name_number int, part smallint, number smallint,
        characters text COLLATE "C", letters text COLLATE "C", initials text COLLATE "C"
    )
"""
_STORES = f"""
    INSERT INTO store (id, code, name, opening_hours, is_active, version, created_at, updated_at)
    SELECT md5('store' || n)::uuid, 'P' || n, 'Shop ' || n, '{{}}', true, 1, now(), now()
    FROM generate_series(0, {STORES - 1}) AS n
"""
# A card's id, store, phone and member number follow from its number.
_MADE = f"""
    CREATE UNLOGGED TABLE made AS
    SELECT number, name_number, is_organization,
           (lpad(to_hex(number), 8, '0') || '-0000-7000-8000-000000000000')::uuid AS id,
           md5('store' || number * 37 % {STORES})::uuid AS store_id,
           '139' || lpad((number::bigint * 7919 % 100000000)::text, 8, '0') AS phone,
           'HK' || lpad(number::text, 8, '0') AS member,
           'reader' || number || '@example.com' AS email
    FROM made_card
"""
_CARDS = """
    INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on,
                          home_store_id, version, created_at, updated_at)
    SELECT made.id, CASE WHEN made.is_organization THEN 'organization' ELSE 'individual' END,
           'active', name.name, false, 'store', current_date, made.store_id, 1, now(), now()
    FROM made JOIN made_name AS name USING (name_number)
"""
_IDENTITIES = """
    INSERT INTO identity (kind, system, value, customer_id, created_at)
    SELECT 'phone', '', '+86' || phone, id, now() FROM made WHERE number % $1 = 0
    UNION ALL
    SELECT 'member_number', '', member, id, now() FROM made WHERE number % $1 = 0
    UNION ALL
    SELECT 'email', '', email, id, now() FROM made WHERE number % $1 = 0 AND number % 3 = 0
"""
_OWN_IDENTITIES = """
    INSERT INTO customer_identity (customer_id, id, kind, system, value, is_primary, added_at)
    SELECT customer_id, md5(kind || customer_id)::uuid, kind, system, value, false, created_at
    FROM identity
"""
_KEYS = f"""
    INSERT INTO customer_search_key
        (customer_id, place, number, characters, letters, initials, home_store_id)
    SELECT made.id, key.part * 4 + made.is_organization::int, key.number,
           key.characters, key.letters, key.initials, made.store_id
    FROM made JOIN made_key AS key USING (name_number)
    UNION ALL
    SELECT id, {KeyPart.PHONE:d} * 4 + is_organization::int, 0, NULL,
           reverse('86' || phone), NULL, store_id FROM made
    UNION ALL
    SELECT id, {KeyPart.MEMBER_NUMBER:d} * 4 + is_organization::int, 0, NULL,
           lower(member), NULL, store_id FROM made
    UNION ALL
    SELECT id, {KeyPart.EMAIL:d} * 4 + is_organization::int, 0, NULL, email, NULL, store_id
    FROM made WHERE number % 3 = 0
"""
_FILLED: Final = ("customer", "identity", "customer_identity", "customer_search_key")
_CONSTRAINTS = """
    SELECT conrelid::regclass::text AS of_table, conname AS name, contype::text AS type,
           pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE conrelid = ANY($1::text[]::regclass[]) AND contype IN ('p', 'u', 'f')
    ORDER BY contype = 'f' DESC
"""
_INDEXES = """
    SELECT indexrelid::regclass::text AS name, indrelid::regclass::text AS of_table,
           pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid = ANY($1::text[]::regclass[])
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


async def write_people(dsn: str, count: int, *, identities_of_every: int = 1) -> list[str]:
    """Write so many cards into a migrated, empty database, as its owner; return their names.

    Every so-manieth has its identities also where they are kept; all have the keys of them. Keys
    and indexes go before and come back after, but for further indexes of all cards, which cost
    half a minute: cards are read by their ids here. Foreign keys come back for new rows.
    """
    names, cards = made_up_names(count)
    people = count - count // 50
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"SET maintenance_work_mem = '256MB'; SET work_mem = '256MB'; {_MAKE_STAGES}"
        )
        await connection.copy_records_to_table("made_name", records=enumerate(names))
        await connection.copy_records_to_table(
            "made_card", records=((n, name, n >= people) for n, name in enumerate(cards))
        )
        await connection.copy_records_to_table("made_key", records=key_rows(names))
        await connection.execute("ANALYZE made_name, made_card, made_key")
        again = await _without_constraints(connection)
        for statement in (_STORES, _MADE, _CARDS):
            await connection.execute(statement)
        await connection.execute(_IDENTITIES, identities_of_every)
        for statement in (_OWN_IDENTITIES, _KEYS, *again):
            await connection.execute(statement)
        await connection.execute("DROP TABLE made, made_name, made_card, made_key")
        await connection.execute(f"VACUUM (ANALYZE) {', '.join(_FILLED)}")
    finally:
        await connection.close()
    return [names[name] for name in cards]


async def _without_constraints(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Drop what slows the writing of many rows; return what brings it back."""
    again: list[str] = []
    for row in await connection.fetch(_CONSTRAINTS, list(_FILLED)):
        later = " NOT VALID" if row["type"] == "f" else ""
        alter = f"ALTER TABLE {row['of_table']}"
        await connection.execute(f"{alter} DROP CONSTRAINT {row['name']} CASCADE")
        # What others refer to comes back before they do.
        again.insert(
            len(again) if later else 0,
            f"{alter} ADD CONSTRAINT {row['name']} {row['definition']}{later}",
        )
    for row in await connection.fetch(_INDEXES, list(_FILLED)):
        await connection.execute(f"DROP INDEX {row['name']}")
        if row["of_table"] != "customer" or " WHERE " in row["definition"]:
            again.append(row["definition"])
    return again
