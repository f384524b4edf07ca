"""Which column of a file is which field: by the names that exports give to their columns."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.vocabulary import (
    Channel,
    Code,
    CustomerKind,
    Direction,
    Gender,
    ImportKind,
    InteractionOutcome,
    MaritalStatus,
)


@dataclass(frozen=True, slots=True)
class ImportField:
    """Something that a file can say; ``names`` are those that columns have for it."""

    name: str
    en: str
    zh: str
    names: str
    is_personal: bool = False


def _field(name: str, en: str, zh: str, names: str = "", *, personal: bool = False) -> ImportField:
    return ImportField(name, en, zh, names, personal)


_OCCURRED = _field(
    "occurred_at", "Date and time", "日期",
    "日期 日期时间 交易日期 交易时间 销售日期 销售时间 购买日期 购买时间 下单时间 下单日期 "
    "消费时间 "
    "消费日期 单据日期 付款时间 发生时间 联系时间 联系日期 date datetime timestamp invoicedate "
    "orderdate saledate soldat purchasedate transactiondate createdat",
)  # fmt: skip
_TIME = _field("time", "Time of day", "时间", "时间 时刻 time timeofday")
_STORE = _field(
    "store", "Shop", "门店", "门店 店铺 店号 门店编号 门店编码 门店代码 门店名称 分店 归属门店 "
    "store "
    "shop branch storecode storeid storename homestore",
)  # fmt: skip
_PHONE = _field(
    "phone", "Phone", "手机", "手机 手机号 手机号码 电话 电话号码 联系电话 联系方式 移动电话 "
    "客户电话 "
    "会员手机 会员手机号 phone mobile tel telephone cell phonenumber mobilephone", personal=True,
)  # fmt: skip
_EMAIL = _field(
    "email",
    "E-mail",
    "电子邮箱",
    "电子邮箱 邮箱 邮件 电子邮件 email mail emailaddress",
    personal=True,
)
_MEMBER = _field(
    "member_number", "Member number", "会员号", "会员号 会员卡号 卡号 会员编号 会员卡 会员码 "
    "客户编号 "
    "member memberno membernumber memberid cardno cardnumber customerid customerno customer "
    "membercard",
)  # fmt: skip
_WECHAT = _field(
    "wechat", "WeChat id", "微信号", "微信 微信号 wechat wechatid openid", personal=True
)

FIELDS: Final[Mapping[ImportKind, tuple[ImportField, ...]]] = {
    ImportKind.CARDS: (
        _field("name", "Name", "姓名", "姓名 客户姓名 客户名称 会员姓名 名称 单位名称 公司名称 "
        "联系人 "
               "name fullname customername membername", personal=True),
        _field("kind", "Individual or organization", "客户类型",
               "客户类型 类型 性质 客户性质 kind type customertype"),
        _field("gender", "Gender", "性别", "性别 gender sex"),
        _field("birthday", "Birthday", "生日", "生日 出生日期 出生年月日 出生年月 birthday "
        "birthdate "
               "dateofbirth dob born"),
        _PHONE,
        _field("phone_2", "Second phone", "备用电话", "备用电话 电话2 手机2 固定电话 座机 phone2 "
               "mobile2 otherphone landline", personal=True),
        _EMAIL,
        _MEMBER,
        _WECHAT,
        _field("marital_status", "Marital status", "婚姻状况",
               "婚姻 婚姻状况 婚否 maritalstatus married"),
        _field("occupation", "Occupation", "职业", "职业 occupation profession"),
        _field("employer", "Employer", "工作单位", "工作单位 单位 公司 employer company"),
        _field("job_title", "Job title", "职务", "职务 职位 职称 jobtitle position"),
        _field("industry", "Industry", "行业", "行业 industry sector"),
        _field("region", "Region", "地区", "地区 区域 省市 城市 所在地 region city province"),
        _field("address", "Address", "地址", "地址 联系地址 通讯地址 住址 家庭住址 address",
               personal=True),
        _field("tags", "Tags", "标签", "标签 tags labels"),
        _field("interests", "Interests", "兴趣", "兴趣 爱好 兴趣爱好 阅读兴趣 interests hobbies"),
        _STORE,
        _field("registered_on", "Registered on", "登记日期", "登记日期 注册日期 注册时间 "
        "入会日期 入会时间 "
               "开卡日期 办卡日期 建档日期 registeredon registrationdate joined joindate since"),
        _field("note", "Note", "备注", "备注 说明 note notes remark remarks comment"),
    ),
    ImportKind.PURCHASES: (
        _field("receipt_number", "Receipt number", "小票号", "小票号 小票 小票号码 小票编号 单号 "
        "单据号 "
               "单据编号 订单号 订单编号 流水号 交易号 交易流水号 销售单号 receipt receiptno "
               "receiptnumber "
               "receiptid invoice invoiceno invoicenumber order orderid orderno ordernumber "
               "transaction transactionid ticket"),
        _OCCURRED, _TIME, _STORE, _MEMBER, _PHONE, _EMAIL,
        _field("sku", "Article code", "商品编码", "商品编码 商品编号 商品代码 货号 条码 商品条码 "
        "sku "
               "itemcode stockcode productcode articlecode barcode itemno"),
        _field("isbn", "ISBN", "ISBN", "isbn 书号 国际书号 isbn13"),
        _field("title", "Title", "商品名称", "商品名称 品名 书名 商品 名称 货品名称 title product "
               "productname item itemname description article"),
        _field("category", "Category", "分类", "分类 类别 品类 商品分类 商品类别 category group "
               "productcategory department"),
        _field("quantity", "Quantity", "数量", "数量 件数 册数 销售数量 购买数量 qty quantity "
        "count units"),
        _field("unit_price", "Unit price", "单价", "单价 售价 销售单价 实际单价 价格 price "
        "unitprice"),
        _field("discount", "Discount", "优惠金额", "优惠 优惠金额 折扣额 折扣金额 discount "
        "discountamount"),
        _field("amount", "Amount", "金额", "金额 实付 实付金额 实收 实收金额 小计 销售额 "
        "销售金额 成交金额 "
               "付款金额 消费金额 amount total paid linetotal totalprice sum netamount subtotal"),
        _field("unit_cost", "Unit cost", "成本", "成本 成本价 进价 进货价 单位成本 cost unitcost"),
        _field("status", "Status", "状态", "状态 订单状态 单据状态 交易状态 小票状态 status state"),
        _field("cashier", "Cashier", "收银员", "收银员 收银 操作员 cashier operator clerk"),
        _field("original_receipt", "Original receipt", "原小票号", "原小票号 原单号 原订单号 "
        "原始单号 "
               "原小票 原小票号码 原小票编号 原单据号 原流水号 原交易号 原销售单号 退货原单 "
               "退货原单号 "
        "originalreceipt originalreceiptno originalreceiptnumber originalreceiptid originalorder "
        "originalorderno originalordernumber originalorderid originalinvoice originalinvoiceno "
        "originalinvoicenumber refundof"),
    ),
    ImportKind.INTERACTIONS: (
        _OCCURRED, _TIME,
        _field("channel", "Channel", "渠道", "渠道 方式 沟通方式 联系方式 沟通渠道 channel via "
        "method"),
        _field("direction", "Direction", "方向", "方向 呼入呼出 来去 direction"),
        _field("subject", "Subject", "主题", "主题 标题 事由 subject topic title"),
        _field("text", "Text", "内容", "内容 沟通内容 详情 记录 text content details body"),
        _field("outcome", "Outcome", "结果", "结果 沟通结果 outcome result"),
        _field("next_step", "Next step", "下一步", "下一步 后续 跟进事项 nextstep followup"),
        _field("next_step_on", "Next step on", "下一步日期",
               "下一步日期 跟进日期 下次联系日期 nextstepon followupon followupdate nextdate"),
        _field("duration_minutes", "Minutes", "时长（分钟）",
               "时长 时长分钟 通话时长 分钟 duration durationminutes minutes"),
        _MEMBER, _PHONE, _EMAIL, _WECHAT, _STORE,
        _field("staff", "Staff", "员工", "员工 员工账号 客服 经办人 staff username agent"),
    ),
}  # fmt: skip

CODED_FIELDS: Final[Mapping[ImportKind, Mapping[str, type[Code]]]] = {
    ImportKind.CARDS: {"kind": CustomerKind, "gender": Gender, "marital_status": MaritalStatus},
    ImportKind.PURCHASES: {},
    ImportKind.INTERACTIONS: {
        "channel": Channel, "direction": Direction, "outcome": InteractionOutcome,
    },
}  # fmt: skip
"""Fields that take only the words of a vocabulary, and what else means the same."""
REQUIRED: Final[Mapping[ImportKind, tuple[tuple[str, ...], ...]]] = {
    ImportKind.CARDS: (("name",),),
    ImportKind.PURCHASES: (("receipt_number",), ("occurred_at",), ("amount", "unit_price")),
    ImportKind.INTERACTIONS: (("occurred_at",), ("channel",), ("subject",)),
}
"""Of each group one field has to have a column."""
HEADER_LOOKED_FOR_IN: Final = 10
"""Rows from the top: exports put titles and dates above the names of columns."""


def fold_header(header: str) -> str:
    """Return a column's name without case, width, spaces, signs, and what stands in brackets."""
    text = unicodedata.normalize("NFKC", header).casefold().partition("(")[0]
    return "".join(character for character in text if character.isalnum())


def propose(kind: ImportKind, headers: Sequence[str]) -> dict[str, int]:
    """Return for each field that some column is named after the number of that column, from 0."""
    by_name: dict[str, int] = {}
    for number, header in enumerate(headers):
        by_name.setdefault(fold_header(header), number)
    by_name.pop("", None)
    found: dict[str, int] = {}
    taken: set[int] = set()
    for field in FIELDS[kind]:
        for name in (*field.names.split(), fold_header(field.name)):
            number = by_name.get(name, -1)
            if number >= 0 and number not in taken:
                found[field.name] = number
                taken.add(number)
                break
    if "occurred_at" not in found and "time" in found:
        # 时间 alone is the whole instant; beside 日期 it is the time of the day.
        found["occurred_at"] = found.pop("time")
    return found


def header_row(kind: ImportKind, rows: Sequence[Sequence[str]]) -> int:
    """Return which of the first rows names the columns: the one with most known names."""
    known = [len(propose(kind, row)) for row in rows[:HEADER_LOOKED_FOR_IN]]
    if known and max(known) >= 2:
        return known.index(max(known))
    filled = [number for number, row in enumerate(rows) if any(cell.strip() for cell in row)]
    return filled[0] if filled else 0


def missing(kind: ImportKind, mapping: Mapping[str, int]) -> list[str]:
    """Return the fields that must have a column and have none; alternatives by the first."""
    return [group[0] for group in REQUIRED[kind] if not any(name in mapping for name in group)]
