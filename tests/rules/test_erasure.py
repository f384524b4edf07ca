"""What still needs the data of a person who asked to be erased, rule by rule."""

from datetime import date, timedelta

import pytest

from app.rules.erasure import (
    DEFERRALS,
    Deferral,
    ErasureFacts,
    ErasureTerms,
    decide_erasure,
    due_on,
)
from app.vocabulary import DeferralReason

TODAY = date(2026, 11, 28)
TERMS = ErasureTerms(return_period_days=7, merge_dispute_days=30, import_days=7)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.mark.parametrize(
    ("facts", "held"),
    [
        pytest.param(ErasureFacts(), [], id="nothing known"),
        pytest.param(
            ErasureFacts(last_sale_on=TODAY),
            [(DeferralReason.RETURN_PERIOD, date(2026, 12, 6))],
            id="bought today: seven days more, and free on the eighth",
        ),
        pytest.param(
            ErasureFacts(last_sale_on=ago(7)),
            [(DeferralReason.RETURN_PERIOD, date(2026, 11, 29))],
            id="the last day of the return period",
        ),
        pytest.param(ErasureFacts(last_sale_on=ago(8)), [], id="the day after it"),
        pytest.param(
            ErasureFacts(last_merge_on=ago(30)),
            [(DeferralReason.MERGE_IN_DISPUTE, date(2026, 11, 29))],
            id="a merge that can still be disputed",
        ),
        pytest.param(ErasureFacts(last_merge_on=ago(31)), [], id="an old merge"),
        pytest.param(
            ErasureFacts(last_import_on=ago(7)),
            [(DeferralReason.IMPORT_OPEN, date(2026, 11, 29))],
            id="an import whose file is still kept",
        ),
        pytest.param(ErasureFacts(last_import_on=ago(8)), [], id="an import that was left lying"),
        pytest.param(
            ErasureFacts(last_sale_on=TODAY, last_merge_on=TODAY, last_import_on=TODAY),
            [
                (DeferralReason.RETURN_PERIOD, date(2026, 12, 6)),
                (DeferralReason.MERGE_IN_DISPUTE, date(2026, 12, 29)),
                (DeferralReason.IMPORT_OPEN, date(2026, 12, 6)),
            ],
            id="everything, in the order of the rules",
        ),
    ],
)
def test_an_erasure_waits_for_what_needs_the_data(
    facts: ErasureFacts, held: list[tuple[DeferralReason, date | None]]
) -> None:
    assert [
        (deferral.reason, deferral.until) for deferral in decide_erasure(facts, TERMS, TODAY)
    ] == held


def test_periods_of_no_days_hold_nothing() -> None:
    facts = ErasureFacts(last_sale_on=TODAY, last_merge_on=TODAY)
    assert decide_erasure(facts, ErasureTerms(0, 0, 0), TODAY) == ()


def test_every_reason_of_the_vocabulary_has_a_rule() -> None:
    facts = ErasureFacts(last_sale_on=TODAY, last_merge_on=TODAY, last_import_on=TODAY)
    found = {deferral.reason for deferral in decide_erasure(facts, TERMS, TODAY)}
    assert found == set(DeferralReason)
    assert len(DEFERRALS) == len(found)


def test_a_rule_can_be_added() -> None:
    more = Deferral(DeferralReason.IMPORT_OPEN, date(2027, 1, 1))
    assert decide_erasure(ErasureFacts(), TERMS, TODAY, (*DEFERRALS, lambda *_: more)) == (more,)


@pytest.mark.parametrize(
    ("until", "due"),
    [
        pytest.param([date(2026, 12, 6), date(2026, 12, 29)], date(2026, 12, 29), id="the last"),
        pytest.param([None], date(2026, 11, 29), id="unknown: tomorrow"),
        pytest.param([None, date(2026, 12, 6)], date(2026, 12, 6), id="unknown, and a known day"),
    ],
)
def test_it_is_looked_at_again_when_the_last_known_hold_ends(
    until: list[date | None], due: date
) -> None:
    held = [Deferral(DeferralReason.RETURN_PERIOD, day) for day in until]
    assert due_on(held, TODAY) == due
