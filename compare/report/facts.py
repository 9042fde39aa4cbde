"""What every form of the report says about the machine and the command, as text."""

from collections.abc import Mapping

from compare.options import Options, planned_fields, spelled


def command_line(options: Options) -> str:
    """The command line that asks for the same."""
    default = Options()
    parts = ["python -m compare"]
    for name in (*planned_fields(),):
        value = getattr(options, name)
        if value != getattr(default, name) and value is not None:
            parts.append(f"{spelled(name)}" if value is True else f"{spelled(name)} {value}")
    return " ".join(parts)


def machine_line(environment: Mapping[str, object]) -> str:
    """The date, the machine and the versions in one line."""
    versions = environment.get("versions")
    packages = versions.items() if isinstance(versions, Mapping) else ()
    facts = [f"{environment[name]}" for name in ("started_at", "cpu_model") if name in environment]
    if "cores" in environment:
        facts.append(f"{environment['cores']} cores")
    if "commit" in environment:
        facts.append(f"commit {environment['commit']}")
    return ", ".join([*facts, *(f"{name} {version}" for name, version in packages)]) + "."


def flat(environment: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values as text; nested names are joined by dots."""
    lines: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            lines += flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            lines.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            lines.append((f"{prefix}{name}", str(value)))
    return lines
