"""What is said at the start can be pasted into a shell as it stands."""

import shlex

import pytest

from app.demo.shops import STAFF
from app.demo.showcase import ShowcaseSale
from app.demo.welcome import sign_ins, welcome
from app.vocabulary import Role

SALE = ShowcaseSale(
    source_code="till-s01-1",
    secret="whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    event={"event_id": "e-1", "total": "58.00"},
    customer_name="顾念书",
)


@pytest.mark.parametrize(
    "password", ["plain-password", "two words", "it's", '"quoted"', "$HOME`id`;&|<>", "\\back"]
)
def test_the_command_that_signs_in_sends_the_password_whatever_is_in_it(password: str) -> None:
    text = welcome("http://127.0.0.1:8000", password, SALE)
    command = text.partition("TOKEN=$(")[2].partition("\\\n  | python3")[0]
    words = shlex.split(command)
    assert words[words.index("--data-urlencode") + 1] == f"password={password}"
    assert words[:2] == ["curl", "-sS"]


def test_one_sign_in_of_each_role_is_named_with_the_password() -> None:
    names, password = sign_ins("vier-Reiher").splitlines()
    said = names.removeprefix("Demo sign-ins: ").split(", ")
    roles = {person.username: person.role for person in STAFF}
    assert sorted(roles[name] for name in said) == sorted(Role)
    assert password == "Password of them all: vier-Reiher"
