"""What the demo's staff and customers spoke about in the year."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from app.demo.seasons import WINDOW_DAYS, Calendar
from app.demo.shops import STAFF
from app.demo.values import CHAIN_TIMEZONE, DemoCustomer, DemoInteraction, DemoOrganization

_ZONE = ZoneInfo(CHAIN_TIMEZONE)
_OPENING, _CLOSING = time(10), time(19)


@dataclass(frozen=True, slots=True)
class _Topic:
    """Something to speak about: by which channels, who begins, how long, what came of it."""

    channels: tuple[str, ...]
    direction: str
    minutes: tuple[int, int]
    subject: str
    text: str
    outcome: str
    next_step: str | None = None


_TOPICS: tuple[_Topic, ...] = (
    _Topic(
        ("phone", "wechat"),
        "inbound",
        (1, 6),
        "询问到货",
        "问预订的书是否已到店，已查库存并答复。",
        "resolved",
    ),
    _Topic(
        ("in_store",),
        "inbound",
        (3, 15),
        "请店员荐书",
        "想给孩子找分级阅读，推荐了三本。",
        "resolved",
    ),
    _Topic(
        ("phone",),
        "outbound",
        (1, 4),
        "新书到店通知",
        "通知所订新书到店，约定周末来取。",
        "reached",
    ),
    _Topic(
        ("phone",),
        "outbound",
        (0, 1),
        "新书到店通知",
        "无人接听。",
        "no_answer",
        "改日再打",
    ),
    _Topic(
        ("wechat", "sms"),
        "outbound",
        (0, 0),
        "读书会邀请",
        "发送周末读书会邀请。",
        "left_message",
    ),
    _Topic(
        ("online_service",),
        "inbound",
        (2, 12),
        "网上订单配送",
        "询问订单何时送达，已告知。",
        "resolved",
    ),
    _Topic(
        ("in_store", "phone"),
        "inbound",
        (2, 10),
        "发票抬头更正",
        "需要更正发票抬头。",
        "follow_up",
        "财务重开发票",
    ),
    _Topic(
        ("phone",),
        "outbound",
        (2, 8),
        "回访",
        "询问近期阅读兴趣与到店体验。",
        "reached",
    ),
    _Topic(
        ("email",),
        "outbound",
        (0, 0),
        "寄送书单",
        "按兴趣寄送本季书单。",
        "left_message",
    ),
    _Topic(
        ("phone",),
        "outbound",
        (0, 1),
        "回访",
        "号码已停用。",
        "wrong_contact",
        "下次到店核对电话",
    ),
)
_BUSINESS: tuple[_Topic, ...] = (
    _Topic(
        ("phone", "wechat"),
        "inbound",
        (4, 20),
        "团购询价",
        "询问开学季团购折扣与交货期。",
        "follow_up",
        "发送报价单",
    ),
    _Topic(
        ("visit",),
        "outbound",
        (30, 90),
        "上门拜访",
        "了解本学期图书采购计划。",
        "reached",
        "一周内回复书目",
    ),
    _Topic(
        ("email",),
        "outbound",
        (0, 0),
        "发送报价单",
        "按所列书目报价。",
        "left_message",
    ),
    _Topic(
        ("phone",),
        "outbound",
        (3, 10),
        "对账",
        "核对上月账款。",
        "resolved",
    ),
)


def build_interactions(
    rng: Random,
    calendar: Calendar,
    cards: Sequence[DemoCustomer],
    organizations: Sequence[DemoOrganization],
    *,
    valued: frozenset[str],
) -> list[DemoInteraction]:
    """Draw the year's contacts in the order of time.

    Customers of value (``valued`` member numbers) are spoken with often, others now and then.
    """
    drawn: list[DemoInteraction] = []
    for card in cards:
        count = rng.randrange(3, 9) if card.member_number in valued else int(rng.random() < 0.22)
        drawn += _contacts_with(rng, calendar, card, _TOPICS, count)
    for body in organizations:
        drawn += _contacts_with(rng, calendar, body, _BUSINESS, rng.randrange(3, 8))
    return sorted(drawn, key=lambda one: (one.occurred_at, one.member_number))


def _contacts_with(
    rng: Random,
    calendar: Calendar,
    card: DemoCustomer | DemoOrganization,
    topics: Sequence[_Topic],
    count: int,
) -> Iterator[DemoInteraction]:
    first = max((card.registered_on - calendar.days[0]).days + 1, 0)
    if first >= WINDOW_DAYS:
        return
    for index in calendar.draw(rng, count, first, WINDOW_DAYS - 1):
        topic = rng.choice(topics)
        day = calendar.days[index]
        opens = datetime.combine(day, _OPENING, _ZONE)
        open_seconds = (_CLOSING.hour - _OPENING.hour) * 3600
        low, high = topic.minutes
        is_due = topic.next_step is not None and index > WINDOW_DAYS - 15
        yield DemoInteraction(
            member_number=card.member_number,
            channel=rng.choice(topic.channels),
            direction=topic.direction,
            occurred_at=opens + timedelta(seconds=rng.randrange(open_seconds)),
            duration_seconds=rng.randrange(low * 60, high * 60 + 1) or None,
            subject=topic.subject,
            text=topic.text,
            outcome=topic.outcome,
            next_step=topic.next_step if is_due else None,
            next_step_on=day + timedelta(days=rng.randrange(2, 9)) if is_due else None,
            staff_username=card.owner_username or _somebody(rng, card.home_store_code),
            store_code=card.home_store_code,
        )


def _somebody(rng: Random, store_code: str) -> str:
    return rng.choice(
        [
            person.username
            for person in STAFF
            if person.role in {"clerk", "service"} and store_code in person.store_codes
        ]
    )
