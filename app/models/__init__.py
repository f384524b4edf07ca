"""SQLModel tables, one noun a file: columns and constraints, no behaviour."""

import app.core.database as _database  # The naming convention has to stand before any table.
from app.models.access import AccessToken, ApiClient, ApiKey, SignInThrottle
from app.models.consent import ConsentRecord, CustomerConsent, Disclosure, Erasure
from app.models.custom_field import CustomField
from app.models.customer import (
    Customer,
    CustomerChange,
    CustomerContact,
    CustomerIdentity,
    Identity,
)
from app.models.customer_profile import CustomerProfile
from app.models.customer_stats import CustomerStats
from app.models.duplicate import DuplicateCard, DuplicateKey, DuplicatePair
from app.models.export import Export
from app.models.import_job import (
    ImportChunk,
    ImportFinding,
    ImportItem,
    ImportJob,
    ImportLine,
    ImportRow,
)
from app.models.interaction import (
    ChannelCost,
    CustomerServiceStats,
    Interaction,
    InteractionChange,
    InteractionEntry,
    UnattachedInteraction,
)
from app.models.merge import CustomerMerge, CustomerMergeItem
from app.models.pos_event import PosEvent
from app.models.product import Product
from app.models.purchase import Purchase, PurchaseLine, Receipt, UnattachedPurchase
from app.models.report import Report
from app.models.search_key import CustomerSearchKey, SearchBuild
from app.models.source import Source, SourceSecret
from app.models.staff import Staff, StaffAbsence, StaffStore
from app.models.store import Store
from app.models.tier import (
    TierAssignment,
    TierCalibration,
    TierEvaluation,
    TierNotice,
    TierPolicy,
    TierReview,
)
from app.models.trail import AuditEntry, IdempotencyKey, NightStep, OutboxEvent

metadata = _database.metadata

__all__ = [
    "AccessToken",
    "ApiClient",
    "ApiKey",
    "AuditEntry",
    "ChannelCost",
    "ConsentRecord",
    "CustomField",
    "Customer",
    "CustomerChange",
    "CustomerConsent",
    "CustomerContact",
    "CustomerIdentity",
    "CustomerMerge",
    "CustomerMergeItem",
    "CustomerProfile",
    "CustomerSearchKey",
    "CustomerServiceStats",
    "CustomerStats",
    "Disclosure",
    "DuplicateCard",
    "DuplicateKey",
    "DuplicatePair",
    "Erasure",
    "Export",
    "IdempotencyKey",
    "Identity",
    "ImportChunk",
    "ImportFinding",
    "ImportItem",
    "ImportJob",
    "ImportLine",
    "ImportRow",
    "Interaction",
    "InteractionChange",
    "InteractionEntry",
    "NightStep",
    "OutboxEvent",
    "PosEvent",
    "Product",
    "Purchase",
    "PurchaseLine",
    "Receipt",
    "Report",
    "SearchBuild",
    "SignInThrottle",
    "Source",
    "SourceSecret",
    "Staff",
    "StaffAbsence",
    "StaffStore",
    "Store",
    "TierAssignment",
    "TierCalibration",
    "TierEvaluation",
    "TierNotice",
    "TierPolicy",
    "TierReview",
    "UnattachedInteraction",
    "UnattachedPurchase",
    "metadata",
]
