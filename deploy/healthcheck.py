"""Health check of a container: exits with code 0 if this host's daemon is alive.

    python -m deploy.healthcheck

It imports very little, because it runs while the cluster is measured.
"""

import sys
import urllib.request

if __name__ == "__main__":
    try:
        urllib.request.urlopen("http://127.0.0.1:9108/alive", timeout=5).close()
    except OSError as error:
        sys.exit(str(error))
