"""Run the gateway: `python -m gateway`."""

from chassis import lifecycle, logs, settings, telemetry
from chassis.lifecycle import Drain
from gateway.app import NAME, serve
from gateway.settings import GatewaySettings


def main() -> None:
    read = settings.load(GatewaySettings)
    logs.configure(read.log_level, NAME)
    telemetry.configure(read, NAME)

    async def work(drain: Drain) -> None:
        await serve(read, drain)

    lifecycle.run(work, read)


if __name__ == "__main__":
    main()
