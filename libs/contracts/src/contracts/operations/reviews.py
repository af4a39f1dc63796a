"""Questions about reviews, and the one command: a person has looked."""

from pydantic import Field

from contracts.operations.base import ById, Operation, Page
from contracts.reviews import Review
from contracts.views import Listing


class ReviewsOf(Page):
    """Newest first."""

    open_only: bool = Field(default=False, description="only those that wait for a person")


class CompleteReview(ById):
    note: str = Field(default="", max_length=1000, description="what was found and done; it stays on record")


REVIEW_LIST = Operation("monitor-service", "review.list", ReviewsOf, Listing[Review])
REVIEW_GET = Operation("monitor-service", "review.get", ById, Review)
REVIEW_COMPLETE = Operation("monitor-service", "review.complete", CompleteReview, Review)

OPERATIONS = (REVIEW_LIST, REVIEW_GET, REVIEW_COMPLETE)
