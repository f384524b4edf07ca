"""GET /v1/vocabulary tells the truth: what the database checks, what the API document allows."""

import html
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import app.vocabulary
from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.vocabulary import VOCABULARIES, Code, EventRefusal

QUOTED = re.compile(r"'([^']*)'::")
# A list with one code is kept as `= 'code'`.
LIST_OF_CODES = re.compile(r"CHECK \(\(\w+ = (?:ANY \(ARRAY\['.*\]\)|'[^']*'::text)\)\)")
CODE_CHECKS = text(
    """
    SELECT conrelid::regclass::text AS table_name, conname,
           pg_get_constraintdef(oid) AS definition,
           (SELECT attname FROM pg_attribute
            WHERE attrelid = conrelid AND attnum = conkey[1]) AS column_name
    FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND cardinality(conkey) = 1
    ORDER BY 1, 2
    """
)
VOCABULARY_OF = {
    "audit_entry.action": "action",
    "audit_entry.actor_kind": "actor_kind",
    "channel_cost.channel": "channel",
    "consent_record.actor_kind": "actor_kind",
    "consent_record.channel": "consent_channel",
    "consent_record.proof": "consent_proof",
    "consent_record.purpose": "consent_purpose",
    "consent_record.state": "consent_state",
    "custom_field.scope": "customer_kind",
    "custom_field.section": "field_group",
    "custom_field.type": "field_type",
    "customer.birthday_calendar": "birthday_calendar",
    "customer.gender": "gender",
    "customer.kind": "customer_kind",
    "customer.marital_status": "marital_status",
    "customer.origin": "customer_origin",
    "customer.size_band": "size_band",
    "customer.status": "customer_status",
    "customer_change.actor_kind": "actor_kind",
    "customer_consent.channel": "consent_channel",
    "customer_consent.purpose": "consent_purpose",
    "customer_consent.state": "consent_state",
    "customer_contact.role": "contact_role",
    "customer_identity.kind": "identity_kind",
    "customer_merge.actor_kind": "actor_kind",
    "customer_merge.status": "merge_status",
    "disclosure.actor_kind": "actor_kind",
    "duplicate_pair.state": "duplicate_state",
    "erasure.actor_kind": "actor_kind",
    "erasure.status": "erasure_status",
    "export.actor_kind": "actor_kind",
    "export.format": "export_format",
    "export.kind": "export_kind",
    "identity.kind": "identity_kind",
    "import_job.created_by_kind": "actor_kind",
    "import_job.kind": "import_kind",
    "import_job.on_existing": "on_existing",
    "import_job.status": "import_status",
    "interaction.channel": "channel",
    "interaction.direction": "direction",
    "interaction.outcome": "interaction_outcome",
    "interaction.recorded_by_kind": "actor_kind",
    "interaction_change.actor_kind": "actor_kind",
    "outbox_event.type": "domain_event",
    "pos_event.kind": "event_kind",
    "pos_event.mode": "source_mode",
    "pos_event.status": "event_status",
    "purchase.kind": "purchase_kind",
    "purchase.status": "purchase_status",
    "source.kind": "source_kind",
    "source.mode": "source_mode",
    "source.receipt_rule": "receipt_rule",
    "staff.role": "role",
    "staff_absence.reason": "absence_reason",
    "customer_profile.customer_group": "customer_group",
    "customer_profile.next_level": "tier_level",
    "customer_profile.segment": "rfm_segment",
    "report.kind": "report_kind",
    "report.requested_by_kind": "actor_kind",
    "report.status": "report_status",
    "tier_evaluation.scope": "customer_kind",
    "tier_notice.level": "tier_level",
    "tier_notice.next_level": "tier_level",
    "tier_notice.status": "notice_status",
    "tier_review.level": "tier_level",
    "tier_review.next_level": "tier_level",
    "tier_review.status": "review_status",
    "tier_assignment.cause": "tier_cause",
    "tier_assignment.level": "tier_level",
    "tier_policy.method": "policy_method",
    "tier_policy.scope": "customer_kind",
    "tier_policy.status": "policy_status",
    "unattached_purchase.kind": "purchase_kind",
    "unattached_purchase.status": "purchase_status",
}


async def served(client: httpx.AsyncClient) -> dict[str, list[dict[str, str]]]:
    """Return what the operation answers."""
    answer = await client.get("/v1/vocabulary")
    assert answer.status_code == 200
    vocabularies: dict[str, list[dict[str, str]]] = answer.json()
    return vocabularies


async def test_every_vocabulary_is_served_with_its_codes_in_their_order(
    client: httpx.AsyncClient,
) -> None:
    classes = {
        word
        for word in vars(app.vocabulary).values()
        if isinstance(word, type) and issubclass(word, Code) and word is not Code
    }
    assert set(VOCABULARIES.values()) == classes
    assert {
        name: [entry["code"] for entry in entries]
        for name, entries in (await served(client)).items()
    } == {name: [str(code) for code in codes] for name, codes in VOCABULARIES.items()}


async def test_every_code_has_a_label_of_its_own_in_english_and_in_chinese(
    client: httpx.AsyncClient,
) -> None:
    for name, entries in (await served(client)).items():
        for language in ("en", "zh"):
            labels = [entry[language] for entry in entries]
            assert all(labels), name
            assert len(set(labels)) == len(labels), name
        assert all(re.search(r"[\u4e00-\u9fff]", entry["zh"]) for entry in entries), name
        assert all(entry["en"].isascii() for entry in entries), name


async def test_every_list_of_codes_in_the_database_is_one_that_is_served(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    vocabularies = {
        name: [entry["code"] for entry in entries]
        for name, entries in (await served(client)).items()
    }
    checked = {
        f"{row.table_name}.{row.column_name}": QUOTED.findall(row.definition)
        for row in await session.execute(CODE_CHECKS)
        if LIST_OF_CODES.fullmatch(row.definition)
    }
    assert checked == {place: vocabularies[name] for place, name in VOCABULARY_OF.items()}


@pytest.fixture(scope="module")
def application() -> FastAPI:
    """The application over a database that nobody asks."""
    settings = Settings(_env_file=None)
    return create_app(settings, Database("postgresql+asyncpg://nobody@127.0.0.1:1/none", settings))


def test_the_api_document_allows_exactly_the_codes_of_a_vocabulary(application: FastAPI) -> None:
    by_name = {codes.__name__: [str(code) for code in codes] for codes in VOCABULARIES.values()}
    schemas: dict[str, Any] = application.openapi()["components"]["schemas"]
    shown = {name: schema["enum"] for name, schema in schemas.items() if name in by_name}
    assert shown == {name: by_name[name] for name in shown}
    assert len(shown) >= 15


def test_an_events_result_has_a_status_or_a_refusal_and_nothing_else(
    application: FastAPI,
) -> None:
    result = application.openapi()["components"]["schemas"]["EventResult"]
    said = result["properties"]["status"]["anyOf"]
    assert said[0] == {"$ref": "#/components/schemas/EventStatus"}
    assert [choice["enum"] for choice in said[1:]] == [[str(code) for code in EventRefusal]]


async def test_every_fault_of_an_event_is_served_and_has_a_page_of_its_own(
    client: httpx.AsyncClient,
) -> None:
    faults = (await served(client))["event_fault"]
    assert len(faults) == 14
    for fault in faults:
        page = await client.get(f"/problems/{fault['code']}")
        assert page.status_code == 200
        assert f"<h1>{html.escape(fault['en'])}</h1>" in page.text
