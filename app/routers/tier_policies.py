"""Tier policies: written as drafts, tried out, published."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.tier_policies import (
    PolicyPresets,
    TierPolicies,
    TierPolicyChange,
    TierPolicyCreate,
    TierPolicyDetail,
    TierPolicyPublish,
)
from app.schemas.tier_simulations import SimulationJob, TierSimulation
from app.services import (
    tier_policies,
    tier_policy_answers,
    tier_policy_publishing,
    tier_simulations,
)
from app.vocabulary import Permission
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import DraftId, PolicyId, TriedDraftId, WaitingPolicyId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.report_answers import ON_ASKING_FOR_REPORT, InBackground, report_answer
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/tier-policies", tags=["tier policies"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.TIERS_READ))]
Author = Annotated[Actor, Depends(Allow(Permission.TIER_POLICIES_WRITE))]
MOVING = (
    *SIGNED_IN, "not-found", "invalid-transition", "precondition-failed", "validation",
    "precondition-required", "internal-error", "unavailable",
)  # fmt: skip
SIMULATING = (
    *SIGNED_IN, "malformed-json", "validation", "idempotency-key-required",
    "idempotency-in-progress", "idempotency-key-reused",
)  # fmt: skip


@router.get(
    "",
    summary="List tier policies",
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def list_tier_policies(_: Reader, session: SessionDep) -> TierPolicies:
    """Return all versions of tier policies: by scope, newest version first."""
    return tier_policy_answers.policies(await tier_policies.list_policies(session))


@router.get(
    "/presets",
    summary="List what a draft may begin as",
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def list_tier_policy_presets(_: Reader) -> PolicyPresets:
    """Return the presets for each scope: name one as `preset` of a new draft."""
    return tier_policy_answers.presets()


@router.post(
    "",
    status_code=201,
    summary="Write a draft of a tier policy",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent],
)
async def create_tier_policy(
    body: TierPolicyCreate,
    actor: Author,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> TierPolicyDetail:
    """Write a draft, which is the next version of its scope and moves nobody.

    It begins as a preset, as a copy of another version, or as what the body says. Everything that
    is wrong with it is said at once, each with a pointer.
    """
    found = await tier_policies.create_draft(session, settings, actor, body)
    policy = tier_policy_answers.detail(found)
    set_created(response, f"/v1/tier-policies/{policy.id}", policy.revision)
    return policy


@router.get("/{policy_id:uuid}", summary="Read a tier policy", responses=problems(*ON_READING))
async def get_tier_policy(
    policy_id: PolicyId, _: Reader, session: SessionDep, response: Response
) -> TierPolicyDetail:
    """Return a version with its calibration; its ETag is needed to change or publish it."""
    policy = tier_policy_answers.detail(await tier_policies.get_policy(session, policy_id))
    set_etag(response, policy.revision)
    return policy


@router.patch(
    "/{policy_id:uuid}",
    summary="Change a draft of a tier policy",
    responses=problems(*ON_CHANGING, "invalid-transition"),
)
async def update_tier_policy(
    policy_id: PolicyId,
    body: TierPolicyChange,
    actor: Author,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> TierPolicyDetail:
    """Change what the body names; a simulation of what it was no longer counts."""
    found = await tier_policies.change_draft(
        session, actor, policy_id, seen_version(if_match), body
    )
    policy = tier_policy_answers.detail(found)
    set_etag(response, policy.revision)
    return policy


@router.delete(
    "/{policy_id:uuid}",
    status_code=204,
    summary="Throw a draft of a tier policy away",
    responses=problems(*MOVING),
)
async def delete_tier_policy(
    policy_id: DraftId, actor: Author, session: SessionDep, if_match: IfMatch = None
) -> None:
    """Throw a draft away with its simulations; what was approved stays."""
    await tier_policies.delete_draft(session, actor, policy_id, seen_version(if_match))


@router.post(
    "/{policy_id:uuid}/simulate",
    status_code=201,
    summary="Try a draft of a tier policy out",
    response_model=TierSimulation,
    responses={
        **ON_ASKING_FOR_REPORT,
        **problems(
            *SIMULATING,
            "not-found",
            "conflict",
            "invalid-transition",
            "internal-error",
            "unavailable",
        ),
    },
    dependencies=[Idempotent],
)
async def simulate_tier_policy(
    policy_id: PolicyId,
    actor: Author,
    session: SessionDep,
    settings: SettingsDep,
    in_background: InBackground,
    response: Response,
) -> Any:
    """Show what a draft would do to today's customers, and move nobody.

    Levels before and after, who would move from where to where, the greatest moves with the reason
    of each, what benefits would cost. Its calibration, from today's figures, is the one that the
    draft is published with.
    """
    asked = await tier_simulations.simulate(
        session, settings, actor, policy_id, in_background=in_background
    )
    if asked.report is not None:
        set_created(response, f"/v1/reports/jobs/{asked.report.id}")
    return report_answer(asked, TierSimulation, in_background=in_background)


@router.get(
    "/{policy_id:uuid}/simulations",
    summary="List the simulations of a tier policy",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_tier_policy_simulations(
    policy_id: PolicyId,
    _: Author,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SimulationJob]:
    """List simulations, newest first; `is_current` are those of the policy as it is now."""
    listing = {"list": "tier-policy-simulations", "policy": policy_id}
    page, position = await tier_simulations.list_simulations(
        session, policy_id, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.post(
    "/{policy_id:uuid}/publish",
    summary="Publish a draft of a tier policy",
    responses=problems(*ON_CHANGING, "invalid-transition", "simulation-required", "conflict"),
)
async def publish_tier_policy(
    policy_id: TriedDraftId,
    body: TierPolicyPublish,
    actor: Author,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> TierPolicyDetail:
    """Put a draft into force that was simulated as it stands: at once, or on a later day.

    The version that was in force is retired at the same instant. Cards move up with their next
    receipt or by the next night; nobody falls without the notice that the new version asks for.
    """
    found = await tier_policy_publishing.publish(
        session, settings, actor, policy_id, seen_version(if_match), body
    )
    policy = tier_policy_answers.detail(found)
    set_etag(response, policy.revision)
    return policy


@router.post(
    "/{policy_id:uuid}/retract",
    summary="Retract a tier policy that waits for its day",
    responses=problems(*MOVING),
)
async def retract_tier_policy(
    policy_id: WaitingPolicyId,
    actor: Author,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> TierPolicyDetail:
    """Make a draft again of a version that was approved for a later day."""
    found = await tier_policy_publishing.retract(session, actor, policy_id, seen_version(if_match))
    policy = tier_policy_answers.detail(found)
    set_etag(response, policy.revision)
    return policy
