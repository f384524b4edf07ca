"""Cards as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import ForbiddenError
from app.models import CustomField
from app.queries import customers as queries
from app.queries.card_filters import CardFilters
from app.queries.exports import custom_fields, identity_values
from app.rules.access import Actor
from app.schemas.card_parts import Birthday
from app.schemas.customers import Card, CardIdentity, CustomerSort
from app.services.exporting.tables import (
    Column,
    Place,
    Scene,
    Table,
    check_names_own_store,
    coded,
    column,
)
from app.vocabulary import (
    BirthdayCalendar,
    ExportKind,
    IdentityKind,
    Label,
    Permission,
    TierLevel,
)

_WAYS: Final = (
    (IdentityKind.PHONE, "phone", "Phone", "电话", "other_phones", "Other phones", "其他电话"),
    (IdentityKind.EMAIL, "email", "E-mail", "电子邮箱", "other_emails", "Other e-mails",
     "其他电子邮箱"),
    (IdentityKind.WECHAT, "wechat", "WeChat id", "微信号", "other_wechats", "Other WeChat ids",
     "其他微信号"),
    (IdentityKind.MEMBER_NUMBER, "member_number", "Member number", "会员号",
     "other_member_numbers", "Other member numbers", "其他会员号"),
)  # fmt: skip
_MASKED: Final = ("email", "other_emails", "other_phones", "other_wechats", "phone", "wechat")


def _values(card: Card, kind: IdentityKind) -> list[str]:
    """Return a card's values of one kind, the one to use first."""
    of_kind = [identity for identity in card.identities if identity.kind is kind]
    return [one.value for one in sorted(of_kind, key=lambda one: not one.is_primary)]


def _first(kind: IdentityKind) -> Callable[[Card, Scene], Any]:
    return lambda card, _: next(iter(_values(card, kind)), None)


def _others(kind: IdentityKind) -> Callable[[Card, Scene], Any]:
    return lambda card, _: _values(card, kind)[1:]


def _birthday(birthday: Birthday | None, scene: Scene) -> str | None:
    """Return a birthday as people write it: with its calendar where it is the lunar one."""
    if birthday is None:
        return None
    parts = [birthday.month, birthday.day]
    written = "-".join(f"{part:02d}" for part in parts)
    if birthday.year is not None:
        written = f"{birthday.year:04d}-{written}"
    if birthday.calendar is BirthdayCalendar.SOLAR:
        return written
    leap = ("闰" if scene.language == "zh" else "leap ") if birthday.is_leap_month else ""
    return f"{scene.label(birthday.calendar.label)} {leap}{written}"


def _external(card: Card, _scene: Scene) -> list[str]:
    return [
        f"{identity.system}: {identity.value}"
        for identity in card.identities
        if identity.kind is IdentityKind.EXTERNAL
    ]


def _family(card: Card, scene: Scene) -> list[str]:
    return [
        " ".join(
            part
            for part in (
                scene.label(member.relation.label),
                member.name,
                _birthday(member.birthday, scene),
            )
            if part
        )
        for member in card.family
    ]


def _term(name: str) -> Callable[[Card, Scene], Any]:
    return lambda card, _: None if card.terms is None else getattr(card.terms, name)


def _tier(card: Card) -> TierLevel | None:
    return None if card.tier is None else TierLevel(card.tier.code)


_COLUMNS: Final[Sequence[Column[Card]]] = (
    column("id", "Card", "客户卡编号", lambda card, _: card.id, is_extra=True),
    column("name", "Name", "姓名", lambda card, _: card.name),
    *coded("kind", "Kind", "类型", lambda card: card.kind),
    *coded("status", "Status", "状态", lambda card: card.status),
    *coded("tier", "Tier", "层级", _tier),
    *(
        made
        for kind, name, en, zh, others, others_en, others_zh in _WAYS
        for made in (
            column(name, en, zh, _first(kind)),
            column(others, others_en, others_zh, _others(kind)),
        )
    ),
    column("external_ids", "Ids in other systems", "外部系统编号", _external),
    *coded("gender", "Gender", "性别", lambda card: card.gender),
    column("birthday", "Birthday", "生日", lambda card, scene: _birthday(card.birthday, scene)),
    column("next_birthday_on", "Next birthday", "下次生日",
           lambda card, _: None if card.birthday is None else card.birthday.next_on),
    *coded("marital_status", "Marital status", "婚姻状况", lambda card: card.marital_status),
    column("occupation", "Occupation", "职业", lambda card, _: card.occupation),
    column("employer", "Employer", "工作单位", lambda card, _: card.employer),
    column("job_title", "Job title", "职务", lambda card, _: card.job_title),
    column("industry", "Industry", "行业", lambda card, _: card.industry),
    *coded("size_band", "Size", "规模", lambda card: card.size_band),
    column("region", "Region", "地区", lambda card, _: card.region),
    column("address", "Address", "地址", lambda card, _: card.address),
    *coded("origin", "Origin", "来源", lambda card: card.origin),
    column("home_store_id", "Home store (id)", "归属门店（编号）",
           lambda card, _: card.home_store_id, is_extra=True),
    column("home_store_code", "Home store (code)", "归属门店代码",
           lambda card, scene: scene.store_code(card.home_store_id)),
    column("home_store", "Home store", "归属门店",
           lambda card, scene: scene.store_name(card.home_store_id)),
    column("owner_staff_id", "Looked after by (id)", "负责人（编号）",
           lambda card, _: card.owner_staff_id, is_extra=True),
    column("owner", "Looked after by", "负责人",
           lambda card, scene: scene.staff_name(card.owner_staff_id)),
    column("tags", "Tags", "标签", lambda card, _: card.tags),
    column("interests", "Interests", "兴趣", lambda card, _: card.interests),
    column("family", "Family", "家庭成员", _family),
    *(
        column(name, en, zh, _term(name))
        for name, en, zh in (
            ("payment_days", "Days to pay", "账期（天）"),
            ("credit_limit", "Credit limit", "信用额度"),
            ("discount_percent", "Percent off", "折扣（%）"),
            ("invoice_title", "Invoice title", "发票抬头"),
            ("tax_number", "Tax number", "纳税人识别号"),
        )
    ),
    column("note", "Note", "备注", lambda card, _: card.note),
    column("completeness", "Completeness", "完整度", lambda card, _: card.completeness.score),
    column("verified_on", "Verified on", "核实日期", lambda card, _: card.verified_on),
    column("registered_on", "Registered on", "登记日期", lambda card, _: card.registered_on),
    column("created_at", "Created", "建卡时间", lambda card, _: card.created_at),
    column("updated_at", "Changed", "更新时间", lambda card, _: card.updated_at),
    column("archived_at", "Archived", "归档时间", lambda card, _: card.archived_at),
    column("version", "Version", "版本", lambda card, _: card.version, is_extra=True),
)  # fmt: skip


class CardTable(Table[Card]):
    """The list of cards, so filtered and sorted; phones and e-mails in full where ``in_full``."""

    kind: ClassVar[ExportKind] = ExportKind.CUSTOMERS

    def __init__(
        self, actor: Actor, filters: CardFilters, sort: CustomerSort, *, is_unmasked: bool
    ) -> None:
        """Check what the actor may take away.

        Raises:
            ForbiddenError: the whole chain's list by who is bound to stores, or values in full by
                who may not see them.
        """
        check_names_own_store(actor, filters.home_store_id, "filters.home_store_id")
        if is_unmasked and not actor.may(Permission.CUSTOMERS_UNMASK):
            raise ForbiddenError(
                f"This needs the permission {Permission.CUSTOMERS_UNMASK}.",
                detail_zh=f"此操作需要权限：{Permission.CUSTOMERS_UNMASK.label.zh}。",
                members={"permission": str(Permission.CUSTOMERS_UNMASK)},
            )
        self._filters = filters
        self._sort: CustomerSort = sort
        self._is_unmasked = is_unmasked

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        neutral = asdict(CardFilters())
        return [name for name, value in asdict(self._filters).items() if value != neutral[name]]

    def in_full(self) -> Sequence[str]:
        """Return the columns that are written in full though they are usually masked."""
        return _MASKED if self._is_unmasked else ()

    async def columns(self, session: AsyncSession) -> Sequence[Column[Card]]:
        """Return all columns, and one for each of the chain's own fields."""
        return [*_COLUMNS, *_custom_columns(await custom_fields(session))]

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many cards there are."""
        return await queries.count_cards(session, self._filters, at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[Card], Place | None]:
        """Return cards in the order of the list."""
        found = await queries.list_cards(session, self._filters, self._sort, after, limit + 1)
        page = found[:limit]
        place = queries.position_of(page[-1], self._sort) if len(found) > limit else None
        if self._is_unmasked and page:
            values = await identity_values(session, [card.id for card in page])
            page = [_in_full(card, values) for card in page]
        return page, place


def _in_full(card: Card, values: Mapping[UUID, str]) -> Card:
    identities: list[CardIdentity] = [
        identity.model_copy(update={"value": values.get(identity.id, identity.value)})
        for identity in card.identities
    ]
    return card.model_copy(update={"identities": identities})


def _custom_columns(fields: Sequence[CustomField]) -> list[Column[Card]]:
    """Return a column for each code; the same code of people and of organizations is one."""
    by_code: dict[str, list[CustomField]] = {}
    for field in fields:
        by_code.setdefault(field.code, []).append(field)
    return [
        Column(
            f"custom.{code}",
            Label((same[0].label_en, same[0].label_zh)),
            _custom_value(code, {field.scope.value: _choices(field) for field in same}),
        )
        for code, same in by_code.items()
    ]


def _choices(field: CustomField) -> Mapping[str, Label]:
    return {choice["code"]: Label((choice["en"], choice["zh"])) for choice in field.choices or ()}


def _custom_value(
    code: str, choices: Mapping[str, Mapping[str, Label]]
) -> Callable[[Card, Scene], Any]:
    def shown(value: Any, known: Mapping[str, Label], scene: Scene) -> Any:
        if isinstance(value, list):
            return [shown(part, known, scene) for part in value]
        if isinstance(value, str) and value in known:
            return scene.label(known[value])
        return value

    def read(card: Card, scene: Scene) -> Any:
        value = card.custom.get(code)
        return shown(value, choices.get(card.kind.value, {}), scene)

    return read
