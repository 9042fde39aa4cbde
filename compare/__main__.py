"""The entry point: ``python -m compare``, or ``engine-compare`` once it is installed."""

import sys

import typer


def main() -> None:
    """Run the command line; report a user's mistake in one sentence, with exit code 2."""
    from compare.cli import app
    from compare.errors import UsageError

    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # pydantic puts this prefix before the message of a type.
        sys.exit(_report_error(error.format_message().replace("Value error, ", "")))
    except UsageError as error:
        sys.exit(_report_error(str(error)))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_report_error("interrupted", code=130))
    sys.exit(code)


def _report_error(sentence: str, code: int = 2) -> int:
    print(f"engine-compare: {sentence}", file=sys.stderr)  # noqa: T201 - the console is not up
    return code


if __name__ == "__main__":
    main()
