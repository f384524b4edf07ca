"""The field's words: codes with English and Chinese labels, and constrained field types.

Every enum here is stored as lower-case text with a CHECK constraint and served by
``GET /v1/vocabulary``. The glossary explains the words; this module spells them.
"""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

MAXIMUM_MONEY: Final = Decimal("999999999999.99")
"""What numeric(14,2) holds."""
_DIGITS: Final = re.compile(r"[0-9+\-.eE_ ]*")


class Label(tuple[str, str]):
    """A code's name for people: English, Chinese."""

    __slots__ = ()

    @property
    def en(self) -> str:
        """The English name."""
        return self[0]

    @property
    def zh(self) -> str:
        """The Chinese name."""
        return self[1]


class Code(StrEnum):
    """Base of all vocabularies: ``NAME = "code", "English", "中文"``."""

    label: Label

    def __new__(cls, value: str, en: str = "", zh: str = "") -> Self:
        """Make a member that is the string ``value`` and carries its label."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = Label((en, zh))
        return member


class Role(Code):
    """What a member of staff is in the chain; decides their permissions."""

    ADMIN = "admin", "Administrator", "系统管理员"
    MANAGER = "manager", "Headquarters manager", "总部经理"
    STORE_MANAGER = "store_manager", "Store manager", "店长"
    CLERK = "clerk", "Clerk", "店员"
    SERVICE = "service", "Customer service", "客服"
    MARKETING = "marketing", "Marketing", "市场"
    AUDITOR = "auditor", "Auditor", "审计"


class Permission(Code):
    """What a route asks for; roles hold sets of them, API keys are given some as scopes."""

    ME_READ = "me:read", "See oneself", "查看本人信息"
    CUSTOMERS_READ = "customers:read", "Read cards", "查看客户卡"
    CUSTOMERS_WRITE = "customers:write", "Create and change cards", "新建和修改客户卡"
    PURCHASES_READ = "purchases:read", "Read purchases", "查看购买记录"
    EVENTS_READ = "pos_events:read", "Read till events", "查看收银事件"
    EVENTS_REPLAY = "pos_events:replay", "Replay held till events", "重放搁置的收银事件"
    TIERS_READ = "tiers:read", "Read tiers and policies", "查看层级与政策"
    REPORTS_READ = "reports:read", "Read reports", "查看报表"
    STAFF_READ = "staff:read", "Read staff", "查看员工"
    STAFF_WRITE = "staff:write", "Administer staff", "管理员工"
    STORES_READ = "stores:read", "Read stores", "查看门店"
    STORES_WRITE = "stores:write", "Administer stores", "管理门店"
    SOURCES_READ = "sources:read", "Read tills and web shops", "查看收银来源"
    SOURCES_WRITE = "sources:write", "Administer tills and web shops", "管理收银来源"
    CATALOGUE_READ = "catalogue:read", "Read the catalogue", "查看商品目录"
    CATALOGUE_WRITE = "catalogue:write", "Administer the catalogue", "管理商品目录"
    API_CLIENTS_WRITE = "api_clients:write", "Administer API clients", "管理接口客户端"
    AUDIT_READ = "audit:read", "Read the audit trail", "查看审计记录"


class CustomerKind(Code):
    """What a card stands for."""

    INDIVIDUAL = "individual", "Individual", "个人"
    ORGANIZATION = "organization", "Organization", "团体"


class CustomerStatus(Code):
    """Whether a card is in use."""

    ACTIVE = "active", "Active", "有效"
    ARCHIVED = "archived", "Archived", "已归档"


class CustomerOrigin(Code):
    """How the chain came to know a customer."""

    STORE = "store", "In store", "门店"
    WEB_SHOP = "web_shop", "Web shop", "网店"
    EVENT = "event", "Event", "活动"
    REFERRAL = "referral", "Referral", "推荐"
    IMPORT = "import", "Import", "导入"
    OTHER = "other", "Other", "其他"


class Gender(Code):
    """Gender as the customer states it."""

    FEMALE = "female", "Female", "女"
    MALE = "male", "Male", "男"
    OTHER = "other", "Other", "其他"


class MaritalStatus(Code):
    """Marital status as the customer states it."""

    SINGLE = "single", "Single", "未婚"
    MARRIED = "married", "Married", "已婚"
    OTHER = "other", "Other", "其他"


class BirthdayCalendar(Code):
    """The calendar a birthday is kept in."""

    SOLAR = "solar", "Solar", "公历"
    LUNAR = "lunar", "Lunar", "农历"


class SizeBand(Code):
    """Size of an organization by people."""

    MICRO = "micro", "Fewer than 10", "10 人以下"
    SMALL = "small", "10 to 99", "10–99 人"
    MEDIUM = "medium", "100 to 499", "100–499 人"
    LARGE = "large", "500 and more", "500 人以上"


class IdentityKind(Code):
    """What kind of value finds a card."""

    PHONE = "phone", "Phone", "电话"
    EMAIL = "email", "E-mail", "电子邮箱"
    MEMBER_NUMBER = "member_number", "Member number", "会员号"
    WECHAT = "wechat", "WeChat id", "微信号"
    EXTERNAL = "external", "Id in another system", "外部系统编号"


class SourceKind(Code):
    """Where sales come from."""

    TILL = "till", "Till", "收银机"
    WEB_SHOP = "web_shop", "Web shop", "网店"


class SourceMode(Code):
    """Whether a source's events have effects."""

    LIVE = "live", "Live", "正式"
    TEST = "test", "Test", "测试"


class ReceiptRule(Code):
    """What makes a receipt number unique at its source."""

    EVER = "ever", "Never reused", "永不重复"
    YEARLY = "yearly", "Reused every year", "每年重复使用"
    DAILY = "daily", "Reused every day", "每日重复使用"


class EventKind(Code):
    """What a till tells."""

    SALE = "sale", "Sale", "销售"
    REFUND = "refund", "Refund", "退货"
    VOID = "void", "Void", "作废"


class EventStatus(Code):
    """What became of a till's event."""

    APPLIED = "applied", "Applied", "已入账"
    AWAITING_CUSTOMER = "awaiting_customer", "Kept until the card appears", "等待客户建卡"
    PARKED = "parked", "Waiting for its sale", "等待原销售"
    HELD = "held", "Held for inspection", "搁置待查"
    TEST = "test", "Checked in test mode", "测试通过"


class EventFault(Code):
    """Why a signed event is held and not applied."""

    WRONG_STORE = "wrong-store", "The store is not the source's", "门店与来源不符"
    WRONG_CURRENCY = "wrong-currency", "The currency is not the source's", "币种与来源不符"
    SUMS_MISMATCH = "sums-mismatch", "The sums do not add up", "金额合计不符"
    OCCURRED_IN_FUTURE = "occurred-in-future", "It lies in the future", "发生时间在未来"
    LINE_REPEATED = "line-repeated", "A line number occurs twice", "行号重复"
    RECEIPT_NUMBER_USED = (
        "receipt-number-used",
        "Another event used the receipt number",
        "小票号已被其他事件使用",
    )
    CUSTOMER_UNREADABLE = (
        "customer-unreadable",
        "The customer's identity is not readable",
        "客户身份无法识别",
    )
    CARD_UNKNOWN = "card-unknown", "There is no such card", "没有这张客户卡"
    SOURCE_UNKNOWN = "source-unknown", "There is no such source", "没有这个来源"
    NOT_A_SALE = "not-a-sale", "The original receipt is not a sale", "原小票不是销售"
    ALREADY_VOIDED = "already-voided", "The original receipt was voided", "原小票已作废"
    HAS_REFUNDS = "has-refunds", "The sale was refunded already", "该销售已有退货"
    REFUND_EXCEEDS_SALE = (
        "refund-exceeds-sale",
        "More is taken back than was bought",
        "退货超过原购买",
    )
    LINE_UNKNOWN = "line-unknown", "The sale has no such line", "原小票没有该行"


class EventRefusal(Code):
    """What became of an event in a batch that was not stored; a single one is answered 4xx."""

    REJECTED = "rejected", "Not in the format", "格式不符"
    CONFLICT = "conflict", "Its id was used for another body", "事件编号已用于其他内容"


class PurchaseKind(Code):
    """The two kinds of receipt."""

    SALE = "sale", "Sale", "销售"
    REFUND = "refund", "Refund", "退货"


class PurchaseStatus(Code):
    """Whether a receipt counts."""

    POSTED = "posted", "Posted", "有效"
    VOIDED = "voided", "Voided", "已作废"


class TierLevel(Code):
    """The default three tiers and the four of a composite policy."""

    MAIN = "main", "Main", "主要客户"
    ORDINARY = "ordinary", "Ordinary", "普通客户"
    SMALL = "small", "Small", "小客户"
    KEY = "key", "Key", "关键客户"
    IMPORTANT = "important", "Important", "重点客户"
    GENERAL = "general", "General", "一般客户"
    MAINTENANCE = "maintenance", "Maintenance", "维持客户"


class TierCause(Code):
    """Why a tier was assigned."""

    INITIAL = "initial", "New card", "新建客户卡"
    UPGRADE = "upgrade", "Upgraded by a purchase", "购买升级"
    REVERSAL = "reversal", "The purchase that earned it was taken back", "升级所依据的购买已退回"
    CARRIED = "carried", "Carried by other purchases", "由其他购买支撑"
    RECONCILED = "reconciled", "Found by the nightly run", "夜间核对"


class PolicyStatus(Code):
    """Life of a policy version."""

    DRAFT = "draft", "Draft", "草稿"
    ACTIVE = "active", "Active", "生效"
    RETIRED = "retired", "Retired", "停用"


class PolicyMethod(Code):
    """How a tier policy decides."""

    THRESHOLD = "threshold", "Threshold", "门槛"


class AbsenceReason(Code):
    """Why a member of staff is away."""

    LEAVE = "leave", "Leave", "休假"
    SICK = "sick", "Sick", "病假"
    TRAINING = "training", "Training", "培训"
    OTHER = "other", "Other", "其他"


class Action(Code):
    """What the audit trail says was done."""

    CREATED = "created", "Created", "新建"
    CHANGED = "changed", "Changed", "修改"
    ARCHIVED = "archived", "Archived", "归档"
    RESTORED = "restored", "Restored", "恢复"
    DISABLED = "disabled", "Disabled", "停用"
    ENABLED = "enabled", "Enabled", "启用"
    PASSWORD_RESET = "password_reset", "Password reset", "重置密码"
    SIGNED_IN = "signed_in", "Signed in", "登录"
    SIGNED_OUT = "signed_out", "Signed out", "退出"
    REVOKED = "revoked", "Revoked", "撤销"
    HANDED_OVER = "handed_over", "Handed over", "移交"
    REPLAYED = "replayed", "Replayed", "重放"
    ATTACHED = "attached", "Attached", "归户"


class ActorKind(Code):
    """Who acts: the audit trail names one of these."""

    STAFF = "staff", "Staff", "员工"
    API_CLIENT = "api_client", "API client", "接口客户端"
    SOURCE = "source", "Till or web shop", "收银来源"
    SYSTEM = "system", "The service itself", "系统"


class DomainEvent(Code):
    """What is told to other systems, written to the outbox with its cause."""

    CUSTOMER_CREATED = "customer.created", "Card created", "客户卡已新建"
    CUSTOMER_UPDATED = "customer.updated", "Card changed", "客户卡已修改"
    CUSTOMER_ARCHIVED = "customer.archived", "Card archived", "客户卡已归档"
    CUSTOMER_RESTORED = "customer.restored", "Card restored", "客户卡已恢复"
    PURCHASE_RECORDED = "purchase.recorded", "Purchase recorded", "购买已入账"
    PURCHASE_REFUNDED = "purchase.refunded", "Purchase refunded", "购买已退货"
    PURCHASE_VOIDED = "purchase.voided", "Receipt voided", "小票已作废"
    PURCHASE_ATTACHED = "purchase.attached", "Receipt joined its card", "小票已归户"
    TIER_CHANGED = "tier.changed", "Tier changed", "层级已变更"


VOCABULARIES: Final[dict[str, type[Code]]] = {
    "role": Role,
    "permission": Permission,
    "customer_kind": CustomerKind,
    "customer_status": CustomerStatus,
    "customer_origin": CustomerOrigin,
    "gender": Gender,
    "marital_status": MaritalStatus,
    "birthday_calendar": BirthdayCalendar,
    "size_band": SizeBand,
    "identity_kind": IdentityKind,
    "source_kind": SourceKind,
    "source_mode": SourceMode,
    "receipt_rule": ReceiptRule,
    "event_kind": EventKind,
    "event_status": EventStatus,
    "event_fault": EventFault,
    "event_refusal": EventRefusal,
    "purchase_kind": PurchaseKind,
    "purchase_status": PurchaseStatus,
    "tier_level": TierLevel,
    "tier_cause": TierCause,
    "policy_status": PolicyStatus,
    "policy_method": PolicyMethod,
    "absence_reason": AbsenceReason,
    "action": Action,
    "actor_kind": ActorKind,
    "domain_event": DomainEvent,
}


def money_text(amount: Decimal) -> str:
    """Return an amount as it stands in JSON: two decimals, no exponent, no grouping."""
    return f"{amount:.2f}"


def _no_control_characters(value: str) -> str:
    if any(
        unicodedata.category(character) == "Cc" and character not in "\n\t" for character in value
    ):
        raise ValueError("control characters are not allowed")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise ValueError("lone surrogates are not allowed")
    return value


_AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)


def _plain_amount(value: object) -> object:
    # Decimal() would also take other digits, spaces, underscores and a zero with any exponent.
    # A JSON number may have been through binary floating point, and is refused too.
    if isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return value
    raise PydanticCustomError("amount", "Input should be a decimal string such as 58.00")


PlainAmount = BeforeValidator(_plain_amount)


def _decimal_text(pattern: str, description: str, example: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": pattern, "description": description, "examples": [example]}
    )


Money = Annotated[
    Decimal,
    PlainAmount,
    Field(
        ge=-MAXIMUM_MONEY,
        le=MAXIMUM_MONEY,
        max_digits=14,
        decimal_places=2,
        allow_inf_nan=False,
        description="An amount in the chain's currency, as a decimal string with ≤ 2 decimals.",
        examples=["58.00"],
    ),
    PlainSerializer(money_text, return_type=str, when_used="json"),
    _decimal_text(
        r"^-?[0-9]{1,12}(\.[0-9]{1,2})?$",
        "An amount in the chain's currency, as a decimal string with ≤ 2 decimals.",
        "58.00",
    ),
]
Total = Annotated[
    Decimal,
    Field(
        max_digits=28,
        decimal_places=2,
        description="A sum in the chain's currency, as a decimal string with 2 decimals.",
        examples=["1026.00"],
    ),
    PlainSerializer(money_text, return_type=str, when_used="json"),
]
NonNegativeMoney = Annotated[
    Money,
    Field(ge=0),
    _decimal_text(
        r"^[0-9]{1,12}(\.[0-9]{1,2})?$",
        "An amount in the chain's currency, not negative, as a decimal string with ≤ 2 decimals.",
        "58.00",
    ),
]
Quantity = Annotated[
    Decimal,
    PlainAmount,
    Field(
        gt=0,
        le=Decimal(1_000_000),
        max_digits=10,
        decimal_places=3,
        allow_inf_nan=False,
        description="A positive quantity with ≤ 3 decimals.",
        examples=["1"],
    ),
    _decimal_text(
        r"^[0-9]{1,7}(\.[0-9]{1,3})?$",
        "A positive quantity up to 1,000,000, as a decimal string with ≤ 3 decimals.",
        "1",
    ),
]
CleanText = AfterValidator(_no_control_characters)
ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanText
]
LongText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), CleanText
]
CodeText = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    Field(description="A code: letters, digits, `_`, `.`, `-`.", examples=["S01"]),
]
EventId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,127}$"),
    Field(description="The sender's id of an event: letters, digits, `_ : -`."),
]
ReceiptNumber = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}$"),
    Field(description="The receipt's number as printed.", examples=["20261121-0042"]),
]


def _no_number(value: object) -> object:
    # Pydantic would also take seconds since 1970 for an instant, as a number or in digits.
    if isinstance(value, datetime) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
        return value
    raise PydanticCustomError("instant", "Input should be an instant with its offset (RFC 3339)")


def _within_reach(value: datetime) -> datetime:
    # Beyond lies what a wrong clock made; at the very ends no time zone can be applied.
    if not 1900 <= value.year <= 9990:
        raise PydanticCustomError("instant_range", "Input should be of the years 1900 to 9990")
    # PostgreSQL reads no offsets of 16 hours and more.
    return value.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    AfterValidator(_within_reach),
    Field(
        description="An instant with its offset (RFC 3339).", examples=["2026-11-21T18:30:00+08:00"]
    ),
]
