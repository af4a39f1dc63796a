import sys

from backup_service import app
from backup_service.settings import BackupSettings
from chassis import lifecycle, logs, telemetry
from chassis.settings import USAGE, load

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in app.PROCESSES:
        sys.stderr.write(f"usage: python -m backup_service {' | '.join(app.PROCESSES)}\n")
        sys.exit(USAGE)
    settings = load(BackupSettings)
    logs.configure(settings.log_level, f"{app.SERVICE}-{name}")
    telemetry.configure(settings, f"{app.SERVICE}-{name}")
    lifecycle.run(lambda drain: app.PROCESSES[name](settings, drain), settings)
