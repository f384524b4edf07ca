"""Every code with its labels."""

from fastapi import APIRouter, Depends

from app.schemas.common import LabelledCode
from app.vocabulary import VOCABULARIES
from app.web.dependencies import Public
from app.web.documentation import problems
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1", tags=["vocabulary"], route_class=HuikeRoute)


@router.get(
    "/vocabulary",
    summary="Every code with its English and Chinese label",
    response_description="The codes of each vocabulary, by its name.",
    responses=problems("internal-error"),
    dependencies=[Depends(Public("labels are no secret, and front ends need them to sign in"))],
)
async def get_vocabulary() -> dict[str, list[LabelledCode]]:
    """Return all vocabularies, codes in their natural order."""
    return {
        name: [LabelledCode.of(code) for code in vocabulary]
        for name, vocabulary in VOCABULARIES.items()
    }
