"""The demo's organizations: schools, offices and clubs that buy for many, with the people there."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from app.demo.names import draw_name
from app.demo.shops import STAFF, STORES
from app.demo.values import DemoContact, DemoOrganization, Gender

# Name, industry, size band, store: all of the made-up city, so that no real body is meant.
_BODIES: tuple[tuple[str, str, str, str], ...] = (
    ("示例市云桥区第一小学", "教育", "medium", "S01"),
    ("示例市书山路幼儿园", "教育", "small", "S01"),
    ("云桥区图书馆", "公共文化", "small", "S01"),
    ("青禾里社区居委会", "社区服务", "small", "S02"),
    ("稻香巷亲子阅读馆", "文化服务", "micro", "S02"),
    ("示例大学学生会读书社", "教育", "small", "S03"),
    ("示例大学出版与传播学院", "教育", "medium", "S03"),
    ("学府路实验中学", "教育", "medium", "S03"),
    ("星港软件（示例）有限公司", "信息技术", "large", "S04"),
    ("星港广场物业管理处", "物业", "medium", "S04"),
    ("柳岸养老服务中心", "养老", "small", "S05"),
    ("听雨街茶书房", "餐饮", "micro", "S05"),
    ("夜航路青年旅舍", "住宿", "micro", "S06"),
    ("灯火设计事务所（示例）", "设计", "small", "S06"),
)
_POSTS: tuple[tuple[str, str, bool], ...] = (
    ("采购主管", "purchasing", False),
    ("主任", "management", True),
    ("财务", "finance", False),
)
_OLDEST_CARD_DAYS = 3 * 365


def build_organizations(
    rng: Random, first_day: date, phones: Iterator[str]
) -> list[DemoOrganization]:
    """Build the organizations' cards; each has one to three people, one of whom decides."""
    return [
        _organization(rng, number, body, first_day, phones)
        for number, body in enumerate(_BODIES, start=1)
    ]


def _organization(
    rng: Random,
    number: int,
    body: tuple[str, str, str, str],
    first_day: date,
    phones: Iterator[str],
) -> DemoOrganization:
    name, industry, size_band, store_code = body
    store = next(store for store in STORES if store.code == store_code)
    clerks = [p.username for p in STAFF if p.role == "clerk" and store_code in p.store_codes]
    is_large = size_band in {"medium", "large"}
    return DemoOrganization(
        member_number=f"HG{number:04d}",
        name=name,
        industry=industry,
        size_band=size_band,
        region="示例市",
        address=f"{store.address}附近",
        phone=next(phones),
        home_store_code=store_code,
        owner_username=rng.choice(clerks),
        registered_on=first_day - timedelta(days=rng.randrange(30, _OLDEST_CARD_DAYS)),
        payment_days=30 if is_large else 0,
        discount_percent=12 if is_large else 8,
        contacts=tuple(_contacts(rng, 3 if size_band == "large" else 2 if is_large else 1, phones)),
    )


def _contacts(rng: Random, count: int, phones: Iterator[str]) -> Iterator[DemoContact]:
    posts = _POSTS[1:2] if count == 1 else _POSTS[:count]
    for title, role, decides in posts:
        gender: Gender = rng.choice(("female", "male"))
        yield DemoContact(
            name=draw_name(rng, gender),
            title=title,
            role=role,
            phone=next(phones),
            decides=decides,
        )
