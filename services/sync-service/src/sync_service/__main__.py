from chassis import lifecycle, logs, telemetry
from chassis.settings import load
from sync_service import app
from sync_service.settings import SyncSettings

if __name__ == "__main__":
    settings = load(SyncSettings)
    logs.configure(settings.log_level, app.SERVICE)
    telemetry.configure(settings, app.SERVICE)
    lifecycle.run(lambda drain: app.main(settings, drain), settings)
