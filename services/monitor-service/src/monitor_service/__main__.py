"""Run the service: `python -m monitor_service`."""

from chassis import lifecycle, logs, telemetry
from chassis.settings import load
from monitor_service.app import NAME, build
from monitor_service.settings import MonitorSettings

settings = load(MonitorSettings)
logs.configure(settings.log_level, NAME)
telemetry.configure(settings, NAME)


async def main(drain: lifecycle.Drain) -> None:
    await (await build(settings)).run(drain)


lifecycle.run(main, settings)
