"""What monitor-service reads from the environment."""

from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from chassis.settings import Seconds, StoreSettings
from contracts.names import ReviewKind
from monitor_service.domain.reviews import ReviewPlan


class MonitorSettings(StoreSettings):
    """+ what makes health unknown, and when reviews are made."""

    expected_interval: Seconds = Field(
        26 * 3600.0,
        description=(
            "Seconds in which at least one run of every job kind has to finish, and after which a held job is too old; "
            "health is unknown otherwise. The default is a day and two hours for a nightly backup."
        ),
    )
    review_time_zone: str = Field("UTC", description="Time zone of the hour of reviews, as Europe/Berlin.")
    review_hour: int = Field(
        7, ge=0, le=23, description="Local hour of the daily review; of the weekly on Mondays, the monthly on the 1st."
    )
    review_daily_within: Seconds = Field(86_400.0, description="Seconds a person has for a daily review that asks one.")
    review_weekly_within: Seconds = Field(3 * 86_400.0, description="The same for a weekly review.")
    review_monthly_within: Seconds = Field(7 * 86_400.0, description="The same for a monthly review.")
    expected_drill_interval: Seconds = Field(
        8 * 86_400.0, description="The same for restore drills, which are weekly by default: eight days."
    )

    @field_validator("review_time_zone")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("no such time zone")
        return name

    def reviews(self) -> ReviewPlan:
        """When reviews are made, and how long people have for them."""
        within = {
            ReviewKind.DAILY: timedelta(seconds=self.review_daily_within),
            ReviewKind.WEEKLY: timedelta(seconds=self.review_weekly_within),
            ReviewKind.MONTHLY: timedelta(seconds=self.review_monthly_within),
        }
        return ReviewPlan(ZoneInfo(self.review_time_zone), self.review_hour, within)
