"""A chain to measure on, written by a few set-based statements: no history is played through."""

from dataclasses import dataclass

import asyncpg

from app.core import security

CUSTOMERS = 20_000
PURCHASES = 200_000
STORE, TILL = "S01", "till-1"

# Some buy often, many seldom; the last 420 days, so that purchases leave the window every night.
_STATEMENTS = (
    "SELECT setseed(0.42)",
    f"""
    INSERT INTO store (id, code, name, opening_hours, is_active, version, created_at, updated_at)
    VALUES (uuidv7(), '{STORE}', 'Bench', '{{}}', true, 1, now(), now())
    """,
    f"""
    INSERT INTO source (id, code, name, kind, store_id, mode, receipt_rule, currency, is_active,
                        version, created_at, updated_at)
    SELECT uuidv7(), '{TILL}', '{TILL}', 'till', id, 'live', 'ever', 'CNY', true, 1, now(), now()
    FROM store
    """,
    f"""
    CREATE TEMPORARY TABLE person AS
    SELECT n, uuidv7() AS id, 'HK' || lpad(n::text, 6, '0') AS member
    FROM generate_series(1, {CUSTOMERS}) AS n
    """,
    """
    INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on,
                          version, created_at, updated_at)
    SELECT id, 'individual', 'active', member, false, 'store', current_date - 500, 1, now(), now()
    FROM person
    """,
    """
    INSERT INTO identity (kind, system, value, customer_id, created_at)
    SELECT 'member_number', '', member, id, now() FROM person
    """,
    """
    INSERT INTO customer_identity (customer_id, id, kind, system, value, is_primary, added_at)
    SELECT id, uuidv7(), 'member_number', '', member, true, now() FROM person
    """,
    """
    INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id, policy_version,
                                 valid_from, explanation)
    SELECT person.id, uuidv7(), 'small', 'initial', policy.id, 1, now(), '{}'
    FROM person, tier_policy AS policy WHERE policy.scope = 'individual'
    """,
    f"""
    CREATE TEMPORARY TABLE bought AS
    SELECT 1 + floor({CUSTOMERS} * power(random(), 2))::integer AS n,
        current_date - floor(random() * 420)::integer AS on_day,
        round((5 + 120 * random() * random())::numeric, 2) AS paid, g
    FROM generate_series(1, {PURCHASES}) AS g
    """,
    """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
                          source_id, event_id, receipt_key, receipt_number, currency, amount,
                          costed_amount, cost, recorded_at)
    SELECT person.id, uuidv7(), 'sale', 'posted', on_day + time '04:00', on_day, source.store_id,
        source.id, 'old-' || g, 'old-' || g, 'old-' || g, 'CNY', paid, paid, round(paid * 0.7, 2),
        now()
    FROM bought JOIN person USING (n), source
    """,
    "VACUUM (ANALYZE)",
)


@dataclass(frozen=True, slots=True)
class Till:
    """Who sends the measured sales."""

    code: str
    store: str
    secret: str


async def write_chain(dsn: str) -> Till:
    """Write the chain into a migrated, empty database, as its owner; return its till."""
    secret = security.new_webhook_secret()
    connection = await asyncpg.connect(dsn)
    try:
        for statement in _STATEMENTS:
            await connection.execute(statement)
        await connection.execute(
            "INSERT INTO source_secret (id, source_id, slot, secret, created_at)"
            " SELECT uuidv7(), id, 1, $1, now() FROM source",
            secret,
        )
    finally:
        await connection.close()
    return Till(TILL, STORE, secret)
