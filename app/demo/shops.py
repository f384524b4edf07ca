"""The demo chain's shops, tills and staff: invented, and said to be so in each address.

Six stores in the made-up city 示例市, among them one that closes at noon and one that never
closes; the latter also packs what the web shop sells, so the web shop's receipts are its own.
"""

from datetime import time

from app.demo.values import DemoSource, DemoStaff, DemoStore, OpenInterval, Role

CHAIN_NAME = "惠页书店（演示）"
WEB_SOURCE_CODE = "web"

_MIDNIGHT = time(0, 0)


def _hours(opens: str, closes: str) -> OpenInterval:
    return (time.fromisoformat(opens), time.fromisoformat(closes))


def _week(
    weekday: tuple[OpenInterval, ...], weekend: tuple[OpenInterval, ...]
) -> tuple[tuple[OpenInterval, ...], ...]:
    return (weekday,) * 5 + (weekend,) * 2


STORES: tuple[DemoStore, ...] = (
    DemoStore(
        code="S01",
        name="惠页书店云桥总店",
        address="示例市云桥区书山路1号",
        opening_hours=_week((_hours("09:00", "21:00"),), (_hours("09:00", "22:00"),)),
        is_open_24h=False,
    ),
    DemoStore(
        code="S02",
        name="惠页书店青禾里店",
        address="示例市青禾区稻香巷26号",
        opening_hours=_week((_hours("09:30", "20:30"),), (_hours("09:00", "21:00"),)),
        is_open_24h=False,
    ),
    DemoStore(
        code="S03",
        name="惠页书店学府路店",
        address="示例市学府路300号",
        opening_hours=_week(
            (_hours("08:00", "12:00"), _hours("13:00", "20:30")), (_hours("09:00", "20:30"),)
        ),
        is_open_24h=False,
    ),
    DemoStore(
        code="S04",
        name="惠页书店星港广场店",
        address="示例市星港区星港广场三层",
        opening_hours=_week((_hours("10:00", "22:00"),), (_hours("10:00", "22:30"),)),
        is_open_24h=False,
    ),
    DemoStore(
        code="S05",
        name="惠页书店柳岸店",
        address="示例市柳岸区听雨街8号",
        opening_hours=_week((_hours("09:30", "20:00"),), (_hours("09:30", "21:00"),)),
        is_open_24h=False,
    ),
    DemoStore(
        code="S06",
        name="惠页书店灯火通宵店",
        address="示例市云桥区夜航路24号",
        opening_hours=_week(((_MIDNIGHT, _MIDNIGHT),), ((_MIDNIGHT, _MIDNIGHT),)),
        is_open_24h=True,
    ),
)

# How the customers' home stores are shared out, in the order of STORES.
STORE_WEIGHTS = (30, 18, 20, 14, 10, 8)


def _till(store: DemoStore, number: int) -> DemoSource:
    return DemoSource(
        code=f"till-{store.code.lower()}-{number}",
        name=f"{store.name}{number}号收银台",
        kind="till",
        store_code=store.code,
    )


SOURCES: tuple[DemoSource, ...] = (
    _till(STORES[0], 1),
    _till(STORES[0], 2),
    _till(STORES[1], 1),
    _till(STORES[2], 1),
    _till(STORES[2], 2),
    _till(STORES[3], 1),
    _till(STORES[4], 1),
    _till(STORES[5], 1),
    DemoSource(code=WEB_SOURCE_CODE, name="惠页网上书店", kind="web_shop", store_code="S06"),
)


def _person(username: str, name: str, role: Role, *store_codes: str) -> DemoStaff:
    return DemoStaff(username=username, name=name, role=role, store_codes=store_codes)


STAFF: tuple[DemoStaff, ...] = (
    _person("admin", "管知行", "admin"),
    _person("manager", "沈望舒", "manager"),
    _person("marketing", "陆闻笛", "marketing"),
    _person("auditor", "严守白", "auditor"),
    _person("store_manager", "柳拾光", "store_manager", "S01"),
    _person("store_manager2", "田禾宁", "store_manager", "S02"),
    _person("store_manager3", "孟书遥", "store_manager", "S03"),
    _person("store_manager4", "江星野", "store_manager", "S04"),
    _person("store_manager5", "温听澜", "store_manager", "S05"),
    _person("store_manager6", "夜归帆", "store_manager", "S06"),
    _person("clerk", "林小满", "clerk", "S01"),
    _person("clerk2", "周谷雨", "clerk", "S01"),
    _person("clerk3", "许青苗", "clerk", "S02"),
    _person("clerk4", "何春分", "clerk", "S03"),
    _person("clerk5", "邓立夏", "clerk", "S03"),
    _person("clerk6", "罗霜降", "clerk", "S04"),
    _person("clerk7", "唐白露", "clerk", "S05"),
    _person("clerk8", "秦寒露", "clerk", "S06"),
    _person("service", "宋知秋", "service", "S01", "S02", "S03"),
    _person("service2", "方见夏", "service", "S04", "S05", "S06"),
)
