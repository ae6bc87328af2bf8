"""Run a checker as production would be configured: `python -m config.local.check COMMAND …`."""

import os
import subprocess
import sys

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DJANGO_SECRET_KEY": "not-a-secret-but-long-and-varied-enough-0123456789-abcdefghij",
    "ALLOWED_HOSTS": "laurel.example",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "LAUREL_ENV": "production",
}

if __name__ == "__main__":
    arguments = sys.argv[1:]
    command = arguments if arguments[0] == "manage.py" else ["-m", *arguments]
    done = subprocess.run([sys.executable, *command], env=os.environ | PRODUCTION, check=False)
    sys.exit(done.returncode)
