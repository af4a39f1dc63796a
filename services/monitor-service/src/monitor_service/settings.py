"""What monitor-service reads from the environment."""

from pydantic import Field

from chassis.settings import Seconds, StoreSettings


class MonitorSettings(StoreSettings):
    """+ what makes health unknown."""

    expected_interval: Seconds = Field(
        26 * 3600.0,
        description=(
            "Seconds in which at least one run of every job kind has to finish, and after which a held job is too old; "
            "health is unknown otherwise. The default is a day and two hours for a nightly backup."
        ),
    )
    expected_drill_interval: Seconds = Field(
        8 * 86_400.0, description="The same for restore drills, which are weekly by default: eight days."
    )
