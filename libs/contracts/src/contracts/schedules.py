"""When a configuration runs by itself and which mailboxes it is about, as people write it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ScheduleText = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9*/,:#-]+( [A-Za-z0-9*/,:#-]+){0,4}$", max_length=100)
]
"""`daily 02:00` (`daily` says the same), `weekly sunday 02:00`, or five cron fields."""

TimeZoneText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]
"""A name of the IANA time zone database, such as Europe/Berlin."""

MailboxPattern = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=320)]
"""An object id, an address, or a pattern of addresses with `*` and `?`: `*@sales.contoso.com`."""

DEFAULT_SCHEDULE = "daily 02:00"
DEFAULT_TIME_ZONE = "UTC"

Mailboxes = Annotated[tuple[MailboxPattern, ...], Field(max_length=200)]


class Automation(BaseModel):
    """What a configuration does without being asked, and for whom."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schedule: ScheduleText | None = Field(
        default=None, description="daily 02:00, weekly sunday 02:00 or five cron fields; none: it runs when asked"
    )
    time_zone: TimeZoneText = Field(default=DEFAULT_TIME_ZONE, description="of the schedule, such as Europe/Berlin")
    automatic: bool = Field(default=True, description="false: keep the schedule, but run only when asked")
    include: Mailboxes = Field(
        default=(), description="addresses, patterns such as *@sales.contoso.com, object ids; empty: every mailbox"
    )
    exclude: Mailboxes = Field(default=(), description="who is left out, included or not")
