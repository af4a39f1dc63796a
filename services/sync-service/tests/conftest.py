"""Makes the fakes of sync-service importable for its unit and contract tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
