"""Put the demo chain together."""

from datetime import date
from decimal import Decimal
from random import Random

from app.demo.baskets import Baskets
from app.demo.catalogue import CATEGORIES, build_catalogue, showcase_product
from app.demo.conversations import build_interactions
from app.demo.customers import CARDS_WITHOUT_PURCHASE, build_customers
from app.demo.doubles import build_doubles
from app.demo.names import free_phones
from app.demo.organizations import build_organizations
from app.demo.plans import GROUPS, plan_buyers
from app.demo.receipts import ReceiptDrafts
from app.demo.seasons import Calendar
from app.demo.shops import CHAIN_NAME, SOURCES, STAFF, STORES
from app.demo.values import DemoChain, DemoShowcase

DEMO_SEED = 20261121


def build_chain(load_day: date, seed: int = DEMO_SEED) -> DemoChain:
    """Build the chain as it stands on the morning of `load_day`.

    Each part draws from its own stream of the seed: the catalogue is the same on every load day.
    """

    def stream(part: str) -> Random:
        return Random(f"huike-demo/{seed}/{part}")

    calendar = Calendar(load_day)
    products = build_catalogue(stream("catalogue"))
    plans = plan_buyers(stream("plans"), calendar)
    showcase = next(index for index, plan in enumerate(plans) if plan.is_showcase)
    cards = build_customers(
        stream("customers"),
        calendar.days[0],
        [*(calendar.days[p.receipts[0][0]] for p in plans), *([None] * CARDS_WITHOUT_PURCHASE)],
        valued=frozenset(index for index, plan in enumerate(plans) if plan.level == "main"),
        showcase=showcase,
    )
    drafts = ReceiptDrafts(stream("receipts"), calendar, Baskets(products))
    drafts.add_refunds(
        [
            (card, plan, drafts.add_buyer(card, plan))
            for card, plan in zip(cards, plans, strict=False)
        ]
    )
    drafts.add_nobodys_sales()
    phones = free_phones(stream("phones"), {card.phone for card in cards})
    organizations = build_organizations(stream("organizations"), calendar.days[0], phones)
    doubles = build_doubles(stream("doubles"), calendar.days[-1], cards, phones)
    valued = frozenset(
        card.member_number for card, plan in zip(cards, plans, strict=False) if plan.level == "main"
    ) | {double.card.member_number for double in doubles if double.is_merged}
    return DemoChain(
        name=CHAIN_NAME,
        load_day=load_day,
        first_day=calendar.days[0],
        last_day=calendar.days[-1],
        groups=GROUPS,
        stores=STORES,
        sources=SOURCES,
        staff=STAFF,
        categories=CATEGORIES,
        products=products,
        customers=tuple(sorted(cards, key=lambda card: card.member_number)),
        receipts=drafts.number(),
        organizations=tuple(organizations),
        doubles=tuple(doubles),
        interactions=tuple(
            build_interactions(
                stream("interactions"),
                calendar,
                [*cards, *(double.card for double in doubles)],
                organizations,
                valued=valued,
            )
        ),
        showcase=DemoShowcase(
            customer=cards[showcase],
            net=Decimal(plans[showcase].net_fen).scaleb(-2),
            product=showcase_product(products),
            source_code="till-s01-1",
        ),
    )
