"""The demo chain's catalogue: titles composed from our own words, none of them a real book.

ISBNs are `979-7-0000-nnnn-c`. No agency has been given a group 7 under prefix 979 (China's is
978-7), so the numbers are well-formed, their check digit is right, and no real title can have one.
Costs are 55 to 72 % of the price. Stationery has no ISBN.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product as pairs
from random import Random

from app.demo.values import DemoCategory, DemoProduct

CATEGORIES: tuple[DemoCategory, ...] = (
    DemoCategory("children", "Children's books", "少儿"),
    DemoCategory("literature", "Literature", "文学"),
    DemoCategory("textbooks", "Textbooks and exams", "教材教辅"),
    DemoCategory("social-science", "Social science", "社科"),
    DemoCategory("science", "Popular science", "科普"),
    DemoCategory("art", "Art", "艺术"),
    DemoCategory("lifestyle", "Lifestyle", "生活"),
    DemoCategory("stationery", "Stationery", "文具"),
)

_ISBN_STEM = "97970000"
_BOX_SET = "（礼盒装）"

# Category to SKU prefix, how many titles, and the prices they are drawn from, in yuan.
_SHELVES: dict[str, tuple[str, int, str]] = {
    "children": ("CH", 40, "18.00 22.80 25.00 26.00 29.80 32.00 36.00 39.80 45.00 52.00 68.00"),
    "literature": ("LI", 42, "29.80 32.00 36.00 39.00 42.00 45.00 49.80 56.00 58.00 62.00 78.00"),
    "textbooks": ("TX", 40, "13.80 16.50 19.80 24.00 28.80 32.80 35.00 39.80 43.50 48.00"),
    "social-science": ("SO", 34, "38.00 42.00 46.00 49.00 55.00 59.80 65.00 72.00 88.00"),
    "science": ("SC", 32, "28.00 34.00 39.80 48.00 54.00 59.00 66.00 79.00 98.00"),
    "art": ("AR", 28, "48.00 58.00 68.00 75.00 86.00 96.00 108.00 118.00 128.00 158.00"),
    "lifestyle": ("LF", 30, "29.80 35.00 39.80 42.00 48.00 52.00 59.80 68.00 82.00"),
}
_BOX_PRICES = ("98.00", "118.00", "138.00", "168.00", "198.00", "238.00")
SHOWCASE_PRICE = Decimal("58.00")

_STATIONERY_LINES = ("惠页", "云桥", "青禾", "星港")
# An article, and what it costs in each of the lines. The low prices lie close together, so that
# something is to be had for any small amount.
_STATIONERY: dict[str, tuple[str, str, str, str]] = {
    "橡皮": ("3.00", "4.50", "5.00", "6.00"),
    "彩色便签": ("5.00", "6.00", "7.50", "9.90"),
    "横线本": ("6.80", "8.00", "9.00", "12.00"),
    "方格本": ("7.50", "9.00", "9.90", "11.00"),
    "书签套装": ("8.00", "12.00", "19.90", "27.00"),
    "铅笔十支装": ("9.90", "12.00", "13.50", "15.00"),
    "中性笔三支装": ("11.00", "13.50", "15.00", "17.00"),
    "活页夹": ("17.00", "19.90", "23.00", "31.00"),
    "水彩笔十二色": ("27.00", "31.00", "38.00", "46.00"),
    "书立一对": ("38.00", "46.00", "59.00", "66.00"),
    "软皮手账": ("38.00", "52.00", "59.00", "89.00"),
    "帆布书袋": ("46.00", "59.00", "69.00", "89.00"),
}

# Category to the title's first part, what joins it, and its second part.
_WORDS: dict[str, tuple[str, str, str]] = {
    "children": (
        "穿雨靴的刺猬 数错星星的水獭 爱打呼噜的云 不肯关灯的萤火虫 戴草帽的獾 会迷路的邮筒",
        "和",
        "三只口袋 一封没贴邮票的信 月亮渡船 最后一块饼干 屋顶上的池塘 会响的纽扣 倒着走的钟",
    ),
    "literature": (
        "盐仓旧事 渡口第七夜 榆钱镇 雨水簿 没有站名的站台 借来的秋天 灯芯巷 迟到的候鸟 半亩河湾",
        "：",
        "一部家书 三个人的冬天 外祖母的账本 失物招领处 南风来信 未寄出的七封信",
    ),
    "textbooks": (
        "三年级数学 四年级语文 五年级英语 六年级数学 七年级语文 八年级物理 九年级化学 高一数学",
        "",
        "同步一课一练·惠页版 错题整理册·惠页版 期末十二套·惠页版 预习与复习·惠页版 每日一页·惠页版",
    ),
    "social-science": (
        "集市 茶馆 渡船 邮路 灯会 晒谷场 老巷 夜班车",
        "里的",
        "人情与算盘 陌生人 秩序 时间观念 手艺与学徒 邻里账目",
    ),
    "science": (
        "苔藓 潮汐 蜗牛 雷雨 盐粒 候鸟 石英 酵母",
        "为什么",
        "不着急 会认路 记得昨天 总在清晨出发 喜欢六边形 不按时睡觉",
    ),
    "art": (
        "画一片屋檐 刻一枚橡皮章 写一个永字 捏一只陶鸟 拍一条老街 剪一朵窗花",
        "的",
        "三十种办法 十二堂课 四季练习 慢功夫 一百次失败 小画室笔记",
    ),
    "lifestyle": (
        "六平方米阳台 一口小砂锅 周末面团 旧毛衣 北窗书桌 三餐笔记 雨天客厅",
        "的",
        "二十四个主意 整理术 一年 修补课 邻居来信 小日子",
    ),
}


def isbn_check_digit(first_twelve: str) -> str:
    """Compute an ISBN-13's last digit: weights 1 and 3 in turn, completed to a multiple of ten."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(first_twelve))
    return str(-total % 10)


def _titles(rng: Random, category_code: str, count: int) -> list[str]:
    heads, joint, tails = _WORDS[category_code]
    return rng.sample(
        [f"{head}{joint}{tail}" for head, tail in pairs(heads.split(), tails.split())], k=count
    )


def _shelf(rng: Random, category_code: str) -> Iterator[tuple[str, str, Decimal]]:
    """Yield SKU, title and price of a category; each price of its list occurs."""
    if category_code == "stationery":
        yield from _stationery()
        return
    prefix, count, price_list = _SHELVES[category_code]
    prices = [Decimal(price) for price in price_list.split()]
    for number, title in enumerate(_titles(rng, category_code, count)):
        price = prices[number] if number < len(prices) else rng.choice(prices)
        if category_code == "children" and number >= count - len(_BOX_PRICES):
            title, price = title + _BOX_SET, Decimal(_BOX_PRICES[number - count])
        yield f"{prefix}-{number + 1:04d}", title, price


def _stationery() -> Iterator[tuple[str, str, Decimal]]:
    number = 0
    for article, prices in _STATIONERY.items():
        for line, price in zip(_STATIONERY_LINES, prices, strict=True):
            number += 1
            yield f"ST-{number:04d}", f"{line}{article}", Decimal(price)


def build_catalogue(rng: Random) -> tuple[DemoProduct, ...]:
    """Build the catalogue, shelf by shelf."""
    products: list[DemoProduct] = []
    for category in CATEGORIES:
        for sku, title, price in _shelf(rng, category.code):
            stem = f"{_ISBN_STEM}{len(products) + 1:04d}"
            has_isbn = category.code != "stationery"
            cost = price * rng.randrange(560, 711) / 1000
            products.append(
                DemoProduct(
                    sku=sku,
                    isbn=stem + isbn_check_digit(stem) if has_isbn else None,
                    title=title,
                    category_code=category.code,
                    list_price=price,
                    unit_cost=cost.quantize(Decimal("0.01")),
                )
            )
    return tuple(products)


def showcase_product(products: tuple[DemoProduct, ...]) -> DemoProduct:
    """Return the novel that lifts the showcase customer to main."""
    return next(
        product
        for product in products
        if product.category_code == "literature" and product.list_price == SHOWCASE_PRICE
    )
