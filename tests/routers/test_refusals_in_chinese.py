"""What a service finds wrong with a field is told in the language that was asked for."""

import re
from typing import Any

import httpx
import pytest

from tests.support.world import World

NOBODY = "0193a1c2-d3e4-7f00-8000-00000000ffff"
CARD = {"kind": "individual", "name": "王小明"}
ACCOUNT = {"username": "li.wen", "display_name": "李文", "password": "drei-Kraniche"}
SOURCE = {"code": "T9", "name": "9 号", "kind": "till", "mode": "test", "receipt_rule": "ever"}


def with_identity(**identity: Any) -> dict[str, Any]:
    """Return a card with one identity."""
    return {**CARD, "identities": [identity]}


CASES: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("foreign field", "/v1/customers", {**CARD, "industry": "书店"},
     "A card of the kind individual has no industry.", "个人卡没有 industry 字段。"),
    ("birthday", "/v1/customers",
     {**CARD, "birthday": {"calendar": "solar", "year": 2199, "month": 1, "day": 1}},
     "Nobody is born in the future.", "生日不可在未来。"),
    ("registered", "/v1/customers", {**CARD, "registered_on": "2199-01-01"},
     "This day is yet to come.", "这一天尚未到来。"),
    ("store of a card", "/v1/customers", {**CARD, "home_store_id": NOBODY},
     "There is no such store.", "没有这家门店。"),
    ("owner of a card", "/v1/customers", {**CARD, "owner_staff_id": NOBODY},
     "There is no such active account.", "没有这个有效的员工账号。"),
    ("phone", "/v1/customers", with_identity(kind="phone", value="12"),
     "Not a valid phone number: digits, with the country code when it is abroad.",
     "不是有效的电话号码：须为数字，境外号码须带国家代码。"),
    ("e-mail", "/v1/customers", with_identity(kind="email", value="nobody"),
     "Not a valid e-mail address.", "不是有效的电子邮箱。"),
    ("word", "/v1/customers", with_identity(kind="wechat", value="a b"),
     "Empty, or with spaces or invisible characters in it.", "为空，或含有空格或不可见字符。"),
    ("choice", "/v1/customers", {**CARD, "size_band": "tiny"},
     "Must be one of 'micro', 'small', 'medium' or 'large'.",
     "须为 micro、small、medium、large 之一。"),
    ("kind", "/v1/customers", {**CARD, "identities": [{"kind": "fax", "value": "1"}]},
     "Must be one of 'phone', 'email', 'member_number', 'wechat' or 'external'.",
     "须为 phone、email、member_number、wechat、external 之一。"),
    ("long word", "/v1/customers", with_identity(kind="wechat", value="a" * 129),
     "Longer than 128 characters.", "超过 128 个字符。"),
    ("no system", "/v1/customers", with_identity(kind="external", value="a"),
     "An external identity names its system: 1 to 64 letters, digits, '_', '.', '-'.",
     "外部系统编号须注明系统：1–64 个字母、数字、“_”、“.”、“-”。"),
    ("system", "/v1/customers", with_identity(kind="wechat", value="a", system="erp"),
     "Only an external identity names its system.", "只有外部系统编号才可注明系统。"),
    ("twice", "/v1/customers",
     {**CARD, "identities": [{"kind": "wechat", "value": "a"}] * 2},
     "Given twice.", "重复给出。"),
    ("two primaries", "/v1/customers",
     {**CARD, "identities": [{"kind": "wechat", "value": v, "is_primary": True} for v in "ab"]},
     "One of each kind is primary.", "每种身份只能有一个为首选。"),
    ("no store", "/v1/staff", {**ACCOUNT, "role": "clerk"},
     "This role is bound to at least one shop.", "该角色须至少绑定一家门店。"),
    ("a store", "/v1/staff", {**ACCOUNT, "role": "auditor", "store_ids": [NOBODY]},
     "This role is not bound to shops.", "该角色不绑定门店。"),
    ("unknown store", "/v1/staff", {**ACCOUNT, "role": "clerk", "store_ids": [NOBODY]},
     "A shop is unknown or closed.", "有门店不存在或已停用。"),
    ("oneself", "/v1/staff/{clerk}/hand-over", {"to_staff_id": "{clerk}"},
     "Cards are handed over to somebody else.", "客户卡须移交给他人。"),
    ("nobody", "/v1/staff/{clerk}/hand-over", {"to_staff_id": NOBODY},
     "There is no such member of staff.", "没有这名员工。"),
    ("absence", "/v1/staff/{clerk}/absences",
     {"starts_on": "2026-12-02", "ends_on": "2026-12-01", "reason": "leave"},
     "It ends before it starts.", "结束日期早于开始日期。"),
    ("source", "/v1/sources", {**SOURCE, "store_id": NOBODY},
     "There is no such shop.", "没有这家门店。"),
    ("scopes", "/v1/api-clients", {"name": "x", "scopes": ["staff:write"]},
     "Administration of people, keys and tills stays with people.",
     "员工、密钥与收银来源的管理只能由员工进行。"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "english", "chinese"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
async def test_a_field_is_refused_in_the_language_that_was_asked_for(
    client: httpx.AsyncClient,
    world: World,
    path: str,
    body: dict[str, Any],
    english: str,
    chinese: str,
) -> None:
    clerk = str(world.staff["clerk"])
    filled = {
        name: value.replace("{clerk}", clerk) if isinstance(value, str) else value
        for name, value in body.items()
    }
    said = {}
    for language in ("en", "zh"):
        answer = await client.post(
            path.replace("{clerk}", clerk),
            json=filled,
            headers=world.headers("admin", Accept_Language=language),
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
        said[language] = [error["detail"] for error in answer.json()["errors"]]
    assert said == {"en": [english], "zh": [chinese]}


async def test_a_key_that_has_expired_and_a_day_ahead_are_refused_in_chinese(
    client: httpx.AsyncClient, world: World
) -> None:
    listed = (await client.get("/v1/api-clients", headers=world.headers("admin"))).json()
    chinese = world.headers("admin", Accept_Language="zh")
    key = await client.post(
        f"/v1/api-clients/{listed['items'][0]['id']}/keys",
        json={"expires_at": "2020-01-01T00:00:00Z"},
        headers=chinese,
    )
    report = await client.get("/v1/reports/tier-distribution?as_of=2199-01-01", headers=chinese)
    assert [error["detail"] for error in key.json()["errors"]] == [
        "密钥的到期时间不可早于创建时间。"
    ]
    assert [error["detail"] for error in report.json()["errors"]] == ["这一天尚未到来。"]
    assert not re.search("[A-Za-z]{4}", key.json()["title"] + report.json()["title"])
