"""Make or start the embedded PostgreSQL of a folder: `python -m config.local.postgres FOLDER`.

In a process of its own, because the wheel keeps one handle per process and folder.
"""

import sys
from pathlib import Path

from config.local import servers

if __name__ == "__main__":
    servers.make_postgres(Path(sys.argv[1]), durable="--not-durable" not in sys.argv)
