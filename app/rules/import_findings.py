"""What can be the matter with a row of a file, and what was done about it, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.vocabulary import ImportKind

Treatment = Literal["refused", "skipped", "kept"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A code that rows are given.

    In the report's sentences ``{rows}`` is their number with the word, ``{n}`` the number;
    ``report_one_en`` is the sentence about a single row where it is another one. What is done with
    rows is an ``effect`` and is told of a run only as far as the rows were written.
    """

    code: str
    treatment: Treatment
    en: str
    zh: str
    report_en: str
    report_zh: str
    report_one_en: str = ""
    is_effect: bool = False

    def told(self, number: int, kind: ImportKind) -> "Sentence":
        """Return what is told of so many rows."""
        en, zh = self.report_en, self.report_zh
        if number == 1 and self.report_one_en:
            en = self.report_one_en
        if self.code == "no-customer" and kind is ImportKind.INTERACTIONS:
            en, zh = _CONTACTS_OF_NOBODY
        return Sentence(en.format(rows=_of(number, "row"), n=_n(number)), zh.format(n=_n(number)))


def _refused(code: str, en: str, zh: str) -> Finding:
    return Finding(code, "refused", en, zh, f"{{n}} × {en}", f"{{n}} 处{zh}")


def _skipped(
    code: str, en: str, zh: str, report_en: str, report_zh: str, one_en: str = ""
) -> Finding:
    return Finding(code, "skipped", en, zh, report_en, report_zh, one_en)


def _kept(
    code: str, en: str, zh: str, report_en: str, report_zh: str, one_en: str = "",
    *, is_effect: bool = True,
) -> Finding:  # fmt: skip
    return Finding(code, "kept", en, zh, report_en, report_zh, one_en, is_effect)


_CONTACTS_OF_NOBODY: Final = (
    "{rows} without a customer: kept until attached to a card.",
    "{n} 行没有客户信息，先行保留，可随后关联到客户卡。",
)


_ALL: Final = (
    _refused("missing-value", "a value is missing that must be there", "必填项为空"),
    _refused("bad-date", "not a date", "日期无法识别"),
    _refused("ambiguous-date", "day and month can be mistaken; write 2026-11-28",
             "日月无法区分，请写成 2026-11-28"),
    _refused("in-the-future", "lies in the future", "日期在未来"),
    _refused("bad-amount", "not an amount", "金额无法识别"),
    _refused("bad-quantity", "not a quantity", "数量无法识别"),
    _refused("bad-duration", "not a duration; write minutes", "时长无法识别，请填写分钟数"),
    _refused("amount-without-quantity", "an amount, though the quantity is zero",
             "数量为零却有金额"),
    _refused("signs-differ", "quantity and amount have different signs", "数量与金额正负不一致"),
    _refused("bad-receipt-number", "not a receipt number", "小票号无法识别"),
    _refused("scientific-number", "Excel has turned a long number into powers of ten and lost its "
             "digits; make the column a text column and export again",
             "长号码被 Excel 转成科学计数法，位数已丢失；请将该列设为文本后重新导出"),
    _refused("bad-phone", "not a valid phone number", "电话号码无效"),
    _refused("bad-email", "not a valid e-mail address", "电子邮箱无效"),
    _refused("bad-identity", "empty, too long or with spaces in it", "号码为空、过长或含有空格"),
    _refused("bad-birthday", "not a birthday", "生日无法识别"),
    _refused("unknown-code", "not one of the known words", "不是可识别的取值"),
    _refused("unknown-store", "there is no such shop", "门店不存在"),
    _refused("unknown-staff", "there is no such account", "员工账号不存在"),
    _refused("too-long", "longer than it may be", "内容过长"),
    _refused("unreadable-text", "with characters that could not be read", "含有无法识别的字符"),
    _refused("too-many-cells", "the row has more cells than there are columns",
             "单元格多于列数"),
    _refused("stray-quotation-mark", "a quotation mark opens a cell that takes in the rows below",
             "多余的引号使后面的行并入该单元格"),
    _refused("identity-repeated", "another row of the file has this phone, e-mail or number",
             "电话、电子邮箱或会员号与文件内其他行重复"),
    _refused("two-customers", "one receipt names two customers", "同一小票有两个不同的客户"),
    _refused("receipt-incomplete", "another row of the same receipt has an error",
             "同一小票的其他行有错误"),
    _refused("two-cards", "phone, e-mail and number belong to different cards",
             "电话、电子邮箱、会员号分属不同的客户卡"),
    _refused("card-exists", "there is a card with this phone, e-mail or number",
             "已有客户卡使用此电话、电子邮箱或会员号"),
    _skipped("blank", "a blank line", "空行",
             "{rows} left out as blank.", "{n} 个空行，已略过。"),
    _skipped("totals-row", "a line of totals", "合计行",
             "{rows} left out as totals.", "{n} 个合计行，已略过。"),
    _skipped("duplicate-row", "the same as an earlier row", "与前面的行完全相同",
             "{rows} skipped as repeats of earlier rows.", "{n} 行重复，已跳过。",
             "{rows} skipped as a repeat of an earlier row."),
    _skipped("cancelled", "a cancelled receipt", "已作废的小票",
             "{rows} of cancelled receipts left out.", "{n} 行属于已作废小票，未导入。",
             "{rows} of a cancelled receipt left out."),
    _skipped("zero-quantity", "quantity and amount are zero", "数量与金额均为零",
             "{rows} with quantity and amount zero left out.",
             "{n} 行数量与金额均为零，未导入。"),
    _skipped("receipt-exists", "this receipt is there already", "该小票已存在",
             "{rows} skipped: their receipts are there already.",
             "{n} 行的小票已经存在，已跳过。",
             "{rows} skipped: its receipt is there already."),
    _skipped("card-left", "the customer has a card, which was left as it is",
             "客户已有卡，保留原卡",
             "{rows}: the customers have cards, left as they were.",
             "{n} 行的客户已有客户卡，保留原卡未改动。",
             "{rows}: the customer has a card, left as it was."),
    _kept("no-customer", "names no customer", "未注明客户",
          "{rows} without a customer: counted for the shop only.",
          "{n} 行没有客户信息，仅计入门店业绩。"),
    _kept("zero-price", "costs nothing", "金额为零",
          "{rows} at no price kept as gifts.", "{n} 行金额为零，按赠品保留。",
          "{rows} at no price kept as a gift."),
    _kept("refund", "returned goods", "退货",
          "{rows} of returned goods, recorded as refunds.",
          "{n} 行为退货，按退货入账。",
          "{rows} of returned goods, recorded as a refund."),
    _kept("amount-differs", "unit price times quantity is another amount; the amount counts",
          "单价×数量与金额不符，以金额为准",
          "{rows} where unit price times quantity is another amount: the amount counts.",
          "{n} 行单价×数量与金额不符，以金额为准。", is_effect=False),
    _kept("zero-for-none", "a 0 in place of a number, read as none", "号码填为 0，按未填写处理",
          "{rows} with a 0 in place of a phone or number, read as none.",
          "{n} 行的电话或号码填为 0，按未填写处理。", is_effect=False),
)  # fmt: skip

FINDINGS: Final[Mapping[str, Finding]] = {finding.code: finding for finding in _ALL}

KEPT_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "has-refunds": ("a refund that came later refers to it", "之后有退货引用该小票"),
    "was-voided": ("it was voided meanwhile", "该小票之后已被作废"),
    "card-changed": ("the card was changed meanwhile", "客户卡之后有修改"),
    "card-in-use": ("the card has purchases or contacts of its own", "客户卡已有其他购买或互动"),
    "card-merged": ("the card was merged", "客户卡已合并"),
    "card-erased": ("the person's data were erased", "个人数据已删除"),
    "changed": ("it was changed meanwhile", "之后有修改"),
}
"""Why undoing left something."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in both languages."""

    en: str
    zh: str


def _n(number: int) -> str:
    return f"{number:,}"


def _of(number: int, noun: str) -> str:
    return f"{_n(number)} {noun}{'' if number == 1 else 's'}"


def report(
    kind: ImportKind,
    checked: Mapping[str, int],
    run: Mapping[str, int],
    *,
    unused: Sequence[str] = (),
    is_run: bool,
    is_undone: bool,
) -> list[Sentence]:
    """Return what became of a file, for people: what went in, what did not and why.

    ``checked`` counts rows by finding, with ``rows`` (all) and ``good``; ``run`` what was written
    and what the database knew better. ``unused`` columns are told before the run, while another
    mapping can still take them.
    """
    lines = [
        Sentence(
            f"The file has {_of(checked.get('rows', 0), 'row')}.",
            f"文件共 {_n(checked.get('rows', 0))} 行。",
        )
    ]
    if is_run:
        lines += _written(run)
    else:
        good = checked.get("good", 0)
        lines.append(Sentence(f"{_of(good, 'row')} can be imported.", f"{_n(good)} 行可以导入。"))
        if unused:
            lines.append(
                Sentence(
                    f"Columns that are not used: {', '.join(unused)}.",
                    f"未使用的列：{'、'.join(unused)}。",
                )
            )
    for finding in _ALL:
        count = run.get(finding.code, 0)
        if not (is_run and finding.is_effect):
            count += checked.get(finding.code, 0)
        if count and finding.treatment != "refused":
            lines.append(finding.told(count, kind))
    refused = checked.get("refused", 0) + run.get("refused", 0)
    if refused:
        reasons = [
            (finding, checked.get(finding.code, 0) + run.get(finding.code, 0))
            for finding in _ALL
            if finding.treatment == "refused"
        ]
        en = "; ".join(f.report_en.format(n=_n(count)) for f, count in reasons if count)
        zh = "；".join(f.report_zh.format(n=_n(count)) for f, count in reasons if count)
        lines.append(
            Sentence(
                f"{_of(refused, 'row')} not imported, for errors: {en}.",
                f"{_n(refused)} 行有错误，未导入：{zh}。",
            )
        )
    if is_undone:
        lines += _undone(run)
    return lines


def _written(run: Mapping[str, int]) -> list[Sentence]:
    rows = run.get("rows", 0)
    lines = [Sentence(f"{_of(rows, 'row')} imported.", f"{_n(rows)} 行已导入。")]
    for code, noun, en, zh in (
        ("receipts", "receipt", "written", "共 {n} 张小票"),
        ("awaiting", "receipt", "waiting for a customer's card", "{n} 张小票等待客户建卡"),
        ("linked_refunds", "refund", "matched with a sale", "{n} 张退货小票已对应原销售"),
        ("cards_created", "new card", "written", "新建客户卡 {n} 张"),
        ("cards_updated", "card", "brought up to date", "更新客户卡 {n} 张"),
        (
            "possible_duplicates",
            "pair",
            "of cards may be one customer's and wait to be looked at",
            "{n} 对客户卡疑似重复，待处理",
        ),
        ("attached", "waiting receipt", "joined with a card", "{n} 张等待中的小票已归户"),
        ("waiting_contacts", "contact", "waiting for a customer's card", "{n} 条互动等待客户建卡"),
        ("upgrades", "customer", "lifted to a higher tier", "{n} 位客户升级"),
    ):
        if run.get(code):
            number = run[code]
            lines.append(Sentence(f"{_of(number, noun)} {en}.", f"{zh.format(n=_n(number))}。"))
    return lines


def _undone(run: Mapping[str, int]) -> list[Sentence]:
    removed, restored, kept = (run.get(name, 0) for name in ("removed", "restored", "kept"))
    done = [(f"{_of(removed, 'item')} removed", f"移除 {_n(removed)} 项")]
    if restored:
        # Only cards are changed by files.
        back = f"{_of(restored, 'card')} restored"
        done = [*(done if removed else []), (back, f"恢复原内容 {_n(restored)} 张客户卡")]
    lines = [
        Sentence(
            f"Undone: {', '.join(en for en, _ in done)}.",
            f"已撤销：{'，'.join(zh for _, zh in done)}。",
        )
    ]
    if kept:
        lines.append(
            Sentence(
                f"{_of(kept, 'item')} kept, since something depends on "
                f"{'it' if kept == 1 else 'them'}.",
                f"{_n(kept)} 项因已被引用或修改而保留。",
            )
        )
    return lines
