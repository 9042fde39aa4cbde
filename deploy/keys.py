"""Creates the credentials that the nodes and the users of a cluster share.

    python -m deploy.keys FOLDER

These are a token for Ray, a key and a certificate for Dask, and a secret for Spark.  Existing files
are kept, so that this can run before every start.
"""

import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
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


def make(folder: Path) -> None:
    """Write the files that are missing in the folder, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _RAY).exists():
        _write(folder / _RAY, secrets.token_hex(32))
    if not (folder / _DASK_KEY).exists():
        # Everyone who has it is a node or a user of this cluster: nobody asks for the name in it.
        issued, key = certificate("engine-compare")
        _write(folder / _DASK_CERTIFICATE, issued)
        _write(folder / _DASK_KEY, key)
    defaults = folder / _SPARK / "spark-defaults.conf"
    if not defaults.exists():
        defaults.parent.mkdir(exist_ok=True)
        _write(defaults, _SPARK_DEFAULTS.format(secret=secrets.token_hex(32)))


def certificate(host: str) -> tuple[str, str]:
    """A certificate for that host that vouches for itself, and its key, both as PEM; for a year."""
    # Imported here: every measured process imports this module, and few need a certificate.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of other hosts may be behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _write(path: Path, text: str) -> None:
    """Write the whole file or nothing, and never let others read it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(text)
    new.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
