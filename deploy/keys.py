"""Creates the credentials that the nodes and the users of a cluster share.

    python -m deploy.keys FOLDER

These are a token for Ray, a key and a certificate for Dask, and a secret for Spark.  Existing files
are kept, so that this can run before every start.
"""

import os
import secrets
import sys
from pathlib import Path

_RAY, _DASK_CERTIFICATE, _DASK_KEY, _SPARK = "ray.token", "dask.crt", "dask.key", "spark"
_SPARK_DEFAULTS = """\
spark.authenticate true
spark.authenticate.secret {secret}
spark.network.crypto.enabled true
spark.network.crypto.cipher AES/GCM/NoPadding
spark.master.rest.enabled false
spark.ui.killEnabled false
spark.ui.reverseProxy true
"""


def environment(folder: str) -> dict[str, str]:
    """The environment variables that tell the frameworks where the files are."""
    certificate, key = f"{folder}/{_DASK_CERTIFICATE}", f"{folder}/{_DASK_KEY}"
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    return {
        # Set the mode on every node: otherwise Ray guesses it, differently on each node.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": f"{folder}/{_RAY}",
        "DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME": "tls",
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
        f"{tls}CA_FILE": certificate,
        **{f"{tls}{role}__CERT": certificate for role in ("SCHEDULER", "WORKER", "CLIENT")},
        **{f"{tls}{role}__KEY": key for role in ("SCHEDULER", "WORKER", "CLIENT")},
        "SPARK_CONF_DIR": f"{folder}/{_SPARK}",
    }


def make(folder: Path, engine: str | None = None) -> None:
    """Write the files that are missing in the folder, readable by its owner only.

    Only those of ``engine``, if it is given: the certificate needs Dask to be installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if engine in (None, "ray") and not (folder / _RAY).exists():
        _write(folder / _RAY, secrets.token_hex(32))
    if engine in (None, "dask") and not (folder / _DASK_KEY).exists():
        certificate, key = _certificate()
        _write(folder / _DASK_CERTIFICATE, certificate)
        _write(folder / _DASK_KEY, key)
    if engine in (None, "spark"):
        _make_spark(folder)


def _make_spark(folder: Path) -> None:
    defaults = folder / _SPARK / "spark-defaults.conf"
    if not defaults.exists():
        defaults.parent.mkdir(exist_ok=True)
        _write(defaults, _SPARK_DEFAULTS.format(secret=secrets.token_hex(32)))


def _certificate() -> tuple[str, str]:
    """A self-signed certificate: everyone who has it is a node or a user of this cluster."""
    from distributed.security import Security

    pair = Security.temporary()
    return pair.tls_ca_file, pair.tls_client_key


def _write(path: Path, text: str) -> None:
    """Write the whole file or nothing, and never let others read it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(text)
    new.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
