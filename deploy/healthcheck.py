"""Exit code 0 when this host's daemon is alive: what a container's health check runs.

    python -m deploy.healthcheck

Imports next to nothing, since it runs beside what is measured.
"""

import sys
import urllib.request

if __name__ == "__main__":
    try:
        urllib.request.urlopen("http://127.0.0.1:9108/alive", timeout=5).close()
    except OSError as error:
        sys.exit(str(error))
