"""Daily, weekly and monthly reviews: what was checked, and that a person has looked."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict

from contracts.api import ReviewCompletionBody
from contracts.operations.reviews import REVIEW_COMPLETE, REVIEW_GET, REVIEW_LIST, CompleteReview, ReviewsOf
from contracts.reviews import Review
from contracts.rpc import ById
from contracts.views import Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Gated, Tenant

api = Api("reviews")


class ReviewsQuery(ReviewsOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_reviews")
async def list_reviews(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[ReviewsQuery, Query()]
) -> Listing[Review]:
    """List reviews, newest first."""
    return await gate.services.ask(REVIEW_LIST, tenant, query, asking)


@api.route("get_review")
async def get_review(gate: Gated, asking: Asked, tenant: Tenant, review: Id) -> Review:
    """Show a review: what was checked, what was found, and who has looked."""
    return await gate.services.ask(REVIEW_GET, tenant, ById(id=review), asking)


@api.route("complete_review")
async def complete_review(gate: Gated, asking: Asked, tenant: Tenant, review: Id, body: ReviewCompletionBody) -> Review:
    """Say that you have looked, and what came of it. The first one counts; a repeat changes nothing."""
    return await gate.services.ask(REVIEW_COMPLETE, tenant, CompleteReview(id=review, note=body.note), asking)
