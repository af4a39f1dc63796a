from chassis import lifecycle, logs, telemetry
from chassis.settings import load
from token_service import app
from token_service.settings import TokenServiceSettings

if __name__ == "__main__":
    settings = load(TokenServiceSettings)
    logs.configure(settings.log_level, app.SERVICE)
    telemetry.configure(settings, app.SERVICE)
    lifecycle.run(lambda drain: app.main(settings, drain), settings)
