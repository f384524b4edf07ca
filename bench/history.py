"""A chain with two years' history, written by set-based statements; seeds are fixed.

Every card has as many purchases, spread between its first and last day: the gaps are those of
chance, some cards are young, some have stopped buying. Amounts have a heavy tail, and so have the
cards' usual amounts; the cost of goods of one receipt in five is known; three in a hundred are
refunded; every other card was in contact with the chain once.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import asyncpg

PURCHASES_EACH: Final = 20
HISTORY_DAYS: Final = 730
STORES: Final = 50

# Loading without checks that the statements themselves keep, and without a checkpoint every second.
_LOADING = """
    SET session_replication_role = replica;
    SET maintenance_work_mem = '512MB'; SET work_mem = '64MB'; SET timezone = 'UTC';
    SELECT setseed(0.42)
"""
_LOADING_SYSTEM = ("max_wal_size = '6GB'", "checkpoint_timeout = '30min'", "full_page_writes = off")
_LOADED_SYSTEM = ("max_wal_size", "checkpoint_timeout", "full_page_writes")
_PLACES = (
    """
    INSERT INTO store (id, code, name, opening_hours, is_active, version, created_at, updated_at)
    SELECT md5('store' || n)::uuid, 'P' || n, 'Shop ' || n, '{}', true, 1, now(), now()
    FROM generate_series(0, $1::integer - 1) AS n
    """,
    """
    INSERT INTO source (id, code, name, kind, store_id, mode, receipt_rule, currency, is_active,
                        version, created_at, updated_at)
    SELECT md5('till' || n)::uuid, 'till-' || n, 'Till ' || n, 'till', md5('store' || n)::uuid,
        'live', 'ever', 'CNY', true, 1, now(), now()
    FROM generate_series(0, $1::integer - 1) AS n
    """,
)
# One card in fifty is an organization's. A card's number is in its id; of a person's parts it says
# the home store, which gives five points.
_CARDS = """
    INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on,
                          home_store_id, completeness, version, created_at, updated_at)
    SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000')::uuid,
        CASE WHEN n % 50 = 0 THEN 'organization' ELSE 'individual' END, 'active',
        'HK' || lpad(n::text, 8, '0'), false, 'store', $2::date - $3::integer,
        md5('store' || n % $4::integer)::uuid, CASE WHEN n % 50 = 0 THEN 0 ELSE 5 END, 1, now(),
        now()
    FROM generate_series(1, $1::integer) AS n
"""
_OF_CARDS = (
    """
    INSERT INTO identity (kind, system, value, customer_id, created_at)
    SELECT 'member_number', '', name, id, now() FROM customer
    """,
    """
    INSERT INTO customer_identity (customer_id, id, kind, system, value, is_primary, added_at)
    SELECT id, md5('identity' || id)::uuid, 'member_number', '', name, true, now() FROM customer
    """,
    """
    INSERT INTO customer_search_key (customer_id, place, number, letters, home_store_id)
    SELECT id, (kind = 'organization')::integer, 0, lower(name), home_store_id FROM customer
    """,
)
# How a card buys: from when, for how long, and for how much as a rule.
_HABITS = """
    CREATE UNLOGGED TABLE habit AS
    SELECT n, id, home_store_id AS store_id, md5('till' || n % $2::integer)::uuid AS source_id,
        first_day, greatest((days - first_day - 1) * stays, 30)::integer AS active_days, usual
    FROM (
        SELECT n, id, home_store_id, $3::integer AS days,
            floor(($3::integer - 60) * power(random(), 2))::integer AS first_day,
            CASE WHEN random() < 0.7 THEN 1.0 ELSE 0.2 + 0.8 * random() END AS stays,
            exp(random_normal(3.55, 0.55)) AS usual
        FROM (SELECT row_number() OVER (ORDER BY id) AS n, id, home_store_id FROM customer) AS c
        WHERE $1::integer > 0
    ) AS drawn
"""
# Round by round over all cards, so that a card's receipts lie apart, as they do where they come in
# by and by. The last column says whose cost is known.
_PURCHASES = """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
                          source_id, event_id, receipt_key, receipt_number, currency, amount,
                          costed_amount, cost, recorded_at)
    SELECT id, uuidv7(), 'sale', 'posted', day + time '04:00', day, store_id, source_id,
        'e' || number, 'k' || number, 'r' || number, 'CNY', paid,
        CASE WHEN is_costed THEN paid ELSE 0 END,
        CASE WHEN is_costed THEN round(paid * 0.7, 2) ELSE 0 END, day + time '04:00'
    FROM (
        SELECT id, store_id, source_id, round::bigint * 100000000 + n AS number,
            $1::date - $2::integer + 1 + first_day + floor(active_days * random())::integer AS day,
            round((usual * exp(random_normal(0, 0.8)))::numeric, 2) AS paid,
            random() < 0.2 AS is_costed
        FROM generate_series(1, $3::integer) AS round, habit
        OFFSET 0
    ) AS bought
"""
_REFUNDS = """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
                          source_id, event_id, receipt_key, receipt_number, refund_of_id, currency,
                          amount, costed_amount, cost, recorded_at)
    SELECT customer_id, uuidv7(), 'refund', 'posted', day + time '05:00', day, store_id, source_id,
        'f' || event_id, 'f' || event_id, 'f' || event_id, id, 'CNY', amount, costed_amount, cost,
        day + time '05:00'
    FROM (
        SELECT *, least(business_day + 1 + floor(20 * random())::integer, $1::date) AS day
        FROM purchase WHERE hashtext(event_id) % 33 = 0
    ) AS taken_back
"""
_CONTACTS = """
    INSERT INTO interaction (customer_id, id, occurred_at, business_day, channel, direction,
                             subject, cost, version, recorded_at, recorded_by_kind, updated_at)
    SELECT id, md5('contact' || id)::uuid, day + time '06:00', day, 'phone',
        CASE WHEN random() < 0.5 THEN 'inbound' ELSE 'outbound' END,
        'An order', round((1 + 9 * random())::numeric, 2), 1, day + time '06:00', 'system',
        day + time '06:00'
    FROM (
        SELECT id, $1::date - floor($2::integer * random())::integer AS day FROM habit
        WHERE n % 2 = 0
    ) AS called
"""
_BUILT = """
    INSERT INTO search_build (rule, after_id, started_at, finished_at)
    VALUES ($1, NULL, now(), now())
"""
# What they earn; one in fifty a level more than that, held since any day of the last two years.
_TIERS = """
    INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id, policy_version,
                                 valid_from, explanation)
    SELECT s.customer_id, md5('tier' || s.customer_id)::uuid,
        CASE
            WHEN net_365 >= 1000 THEN 'main'
            WHEN net_365 >= 300 THEN CASE WHEN is_above THEN 'main' ELSE 'ordinary' END
            ELSE CASE WHEN is_above THEN 'ordinary' ELSE 'small' END
        END,
        'initial', p.id, p.version,
        $1::date - floor($2::integer * random())::integer + time '04:00', '{}'
    FROM (SELECT *, random() < 0.02 AS is_above FROM customer_stats) AS s
    JOIN customer AS c ON c.id = s.customer_id
    JOIN tier_policy AS p ON p.scope = c.kind AND p.status = 'active'
"""
_SOLD = """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
                          source_id, event_id, receipt_key, receipt_number, currency, amount,
                          costed_amount, cost, recorded_at)
    SELECT id, uuidv7(), 'sale', 'posted', day + time '04:00', day, store_id, source_id,
        'n' || number, 'n' || number, 'n' || number, 'CNY', paid, 0, 0, day + time '04:00'
    FROM (
        SELECT habit.*, $2::date AS day, $2::text || g AS number,
            round((usual * exp(random_normal(0, 0.8)))::numeric, 2) AS paid
        FROM (
            SELECT g, 1 + floor($1::integer * random())::integer AS n
            FROM generate_series(1, $3::integer) AS g
        ) AS drawn JOIN habit USING (n)
    ) AS bought
    RETURNING customer_id
"""
# A key that grows everywhere at once, round by round, would cost more than everything else.
_KEYS_OF_PURCHASES = """
    SELECT conname AS name, conrelid::regclass::text AS of_table,
        pg_get_constraintdef(oid) || CASE WHEN contype = 'f' AND conrelid = 'purchase'::regclass
            THEN ' NOT VALID' ELSE '' END AS definition
    FROM pg_constraint
    WHERE (conrelid = 'purchase'::regclass AND contype = 'p') OR confrelid = 'purchase'::regclass
    ORDER BY contype = 'f'
"""
_SIDE_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid = ANY($1::text[]::regclass[])
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


@dataclass(frozen=True, slots=True)
class Span:
    """How many cards there are, and the last day of their history."""

    customers: int
    ends_on: date


async def write_history(dsn: str, span: Span, search_rule: int) -> None:
    """Write the chain into a migrated, empty database, as a superuser; figures come later."""
    filled = ["customer", "customer_search_key", "purchase", "interaction"]
    connection = await asyncpg.connect(dsn)
    try:
        await _set_up(connection, [f"SET {setting}" for setting in _LOADING_SYSTEM])
        await connection.execute(_LOADING)
        indexes = await connection.fetch(_SIDE_INDEXES, filled)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        keys = await connection.fetch(_KEYS_OF_PURCHASES)
        for key in reversed(keys):
            await connection.execute(f"ALTER TABLE {key['of_table']} DROP CONSTRAINT {key['name']}")
        for statement in _PLACES:
            await connection.execute(statement, STORES)
        await connection.execute(_CARDS, span.customers, span.ends_on, HISTORY_DAYS, STORES)
        for statement in _OF_CARDS:
            await connection.execute(statement)
        await connection.execute("ANALYZE customer")
        await connection.execute(_HABITS, span.customers, STORES, HISTORY_DAYS)
        await connection.execute(_PURCHASES, span.ends_on, HISTORY_DAYS, PURCHASES_EACH)
        await connection.execute(_REFUNDS, span.ends_on)
        await connection.execute(_CONTACTS, span.ends_on, HISTORY_DAYS)
        for key in keys:
            await connection.execute(
                f"ALTER TABLE {key['of_table']} ADD CONSTRAINT {key['name']} {key['definition']}"
            )
        await connection.execute(_BUILT, search_rule)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute("VACUUM (ANALYZE)")
        await _set_up(connection, [f"RESET {setting}" for setting in _LOADED_SYSTEM])
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def write_tiers(dsn: str, span: Span) -> None:
    """Give every card a tier, once the figures are there."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_LOADING)
        await connection.execute(_TIERS, span.ends_on, HISTORY_DAYS)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def sell(dsn: str, customers: int, day: date, count: int) -> list[UUID]:
    """Write so many sales of a day, to anybody; return the cards they are of."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_LOADING)
        sold = await connection.fetch(_SOLD, customers, day, count)
        return sorted({row["customer_id"] for row in sold})
    finally:
        await connection.close()


async def _set_up(connection: "asyncpg.Connection[asyncpg.Record]", settings: list[str]) -> None:
    for setting in settings:
        await connection.execute(f"ALTER SYSTEM {setting}")
    await connection.execute("SELECT pg_reload_conf()")
