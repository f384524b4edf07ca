"""Whether the chain may do something: from what a customer said, to a decision with its reason.

A customer says something about a purpose and a channel; ``any`` stands for every channel. Of
statements about the same, the latest *stated* stands, whichever was written down first; of two of
the same instant, the withdrawal. Where nothing was said about a purpose, a policy answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.vocabulary import ConsentChannel, ConsentPurpose, ConsentReason, ConsentState

Subject = tuple[ConsentPurpose, ConsentChannel]
"""What a statement is about."""

WITHOUT_CHANNEL = frozenset({ConsentPurpose.PROFILING, ConsentPurpose.SHARING})
"""What the chain does without reaching the customer: said for ``any`` only."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a customer said, when, and the record of it."""

    state: ConsentState
    stated_at: datetime
    record_id: UUID | None = None


Standing = Mapping[Subject, Said]
"""What stands for one card; a subject that is not in it was never asked about."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, why, and the statement that decides; none where nothing was said."""

    is_allowed: bool
    reason: ConsentReason
    subject: Subject | None = None
    said: Said | None = None


def later(one: Said, other: Said) -> Said:
    """Return which of two statements about the same subject stands."""
    return max(one, other, key=lambda said: (said.stated_at, said.state is ConsentState.WITHDRAWN))


def standing_of(statements: Iterable[tuple[Subject, Said]]) -> dict[Subject, Said]:
    """Return what stands of statements, in whatever order they are given."""
    standing: dict[Subject, Said] = {}
    for subject, said in statements:
        standing[subject] = later(standing[subject], said) if subject in standing else said
    return standing


def decide(
    standing: Standing,
    purpose: ConsentPurpose,
    channel: ConsentChannel,
    unasked: frozenset[ConsentPurpose],
) -> Decision:
    """Decide whether the chain may act for this purpose by this channel.

    What was said about the channel beats what was said about ``any``, but for one case: a
    withdrawal for ``any`` ends what was granted for a channel before. ``channel`` as ``any`` asks
    about the purpose as a whole. ``unasked`` are the purposes that need no consent until it is
    withdrawn.
    """
    particular = (purpose, channel)
    general = (purpose, ConsentChannel.ANY)
    for_channel = standing.get(particular) if particular != general else None
    for_any = standing.get(general)
    if for_channel is not None and for_channel.state is ConsentState.WITHDRAWN:
        return Decision(False, ConsentReason.CHANNEL_WITHDRAWN, particular, for_channel)
    if (
        for_any is not None
        and for_any.state is ConsentState.WITHDRAWN
        and (for_channel is None or for_any.stated_at >= for_channel.stated_at)
    ):
        return Decision(False, ConsentReason.PURPOSE_WITHDRAWN, general, for_any)
    if for_channel is not None:
        return Decision(True, ConsentReason.CHANNEL_GRANTED, particular, for_channel)
    if for_any is not None:
        return Decision(True, ConsentReason.PURPOSE_GRANTED, general, for_any)
    if purpose in unasked:
        return Decision(True, ConsentReason.NEEDS_NO_ASKING)
    return Decision(False, ConsentReason.NEVER_ASKED)


def is_in_force(standing: Standing, subject: Subject) -> bool:
    """Tell whether what was said about a subject holds, or was overruled by a later withdrawal."""
    return decide(standing, *subject, frozenset()).subject == subject


def and_of(states: Iterable[ConsentState | None]) -> ConsentState | None:
    """Return what several cards of one customer say together about one subject.

    A withdrawal on any card wins, whenever it was said. Granted needs a grant, and that no card
    that says something says otherwise. A card that says nothing (None) takes nothing back: it is
    the same person, and silence is no answer. Nothing said anywhere stays nothing said.
    """
    said = {state for state in states if state is not None}
    if ConsentState.WITHDRAWN in said:
        return ConsentState.WITHDRAWN
    return ConsentState.GRANTED if said else None


@dataclass(frozen=True, slots=True)
class Joined:
    """What stands after a merge.

    ``made`` are subjects whose statement is the merge's own, of its instant and without a record:
    the merge has to write one (proof ``merge``). All others are statements of one of the cards.
    """

    standing: Mapping[Subject, Said]
    made: frozenset[Subject]


def joined(standings: Sequence[Standing], at: datetime) -> Joined:
    """Join what stands on several cards, so that nothing is allowed that one of them refuses.

    Subject by subject, :func:`and_of` decides. That alone would let a later grant for a channel on
    one card outlive a withdrawal for ``any`` on another, so what a channel may be used for is
    compared with the cards' own decisions, and stated anew where it differs. ``at`` is the merge's
    instant, later than all statements.
    """
    result: dict[Subject, Said] = {}
    for subject in {subject for standing in standings for subject in standing}:
        given = [standing[subject] for standing in standings if subject in standing]
        state = and_of(said.state for said in given)
        result[subject] = standing_of(
            (subject, said) for said in given if said.state is state
        )[subject]  # fmt: skip
    made: set[Subject] = set()
    for purpose in {purpose for purpose, _ in result}:
        for channel in ConsentChannel:
            wanted = _wanted(standings, purpose, channel)
            if wanted is None or wanted is _state_of(result, purpose, channel):
                continue
            made.add((purpose, channel))
    # Added together: what is stated for one channel says nothing about another.
    for subject in made:
        state = _wanted(standings, *subject)
        assert state is not None
        result[subject] = Said(state, at)
    return Joined(result, frozenset(made))


def _wanted(
    standings: Sequence[Standing], purpose: ConsentPurpose, channel: ConsentChannel
) -> ConsentState | None:
    return and_of(_state_of(standing, purpose, channel) for standing in standings)


def _state_of(
    standing: Standing, purpose: ConsentPurpose, channel: ConsentChannel
) -> ConsentState | None:
    decision = decide(standing, purpose, channel, frozenset())
    if decision.said is None:
        return None
    return ConsentState.GRANTED if decision.is_allowed else ConsentState.WITHDRAWN
