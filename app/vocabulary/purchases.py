"""What tills send, and the receipts that come of it."""

from app.vocabulary.codes import Code


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
