"""`premia doctor`: what is missing, and the fix.

Goal: whoever is stuck sees in one go what is there, what is not, and what to do, from Python to the registry.
Method: the machine first, then what runs, by the addresses that all commands use. Every check is told, the good ones too.
Refuses: nothing; a finding is exit code 1.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from premia.commands.stack import data_dir_option
from premia.connection import environment_for
from premia.doctor.finding import Finding
from premia.local.invocation import premia_command

EXIT_FOUND: Final = 1
NAME_CHARS: Final = 20


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each check.")
def doctor(data_dir: Path, *, as_json: bool) -> None:
    """Say what is missing, and the fix.

    Looks at Python and its packages, memory, disk, ports, Kafka's jars; at Kafka, PostgreSQL and the services; at schemas,
    topics, registry, tokens and clocks. Changes nothing. Exit code 1 if something is missing.
    """
    missing = 0
    for finding in _findings(data_dir.absolute()):
        missing += not finding.ok
        if as_json:
            click.echo(json.dumps(asdict(finding)))
        else:
            _print(finding)
    if missing:
        raise click.exceptions.Exit(EXIT_FOUND)


def _print(finding: Finding) -> None:
    mark = click.style("ok     ", fg="green") if finding.ok else click.style("MISSING", fg="red", bold=True)
    click.echo(f"{mark}  {finding.what:<{NAME_CHARS}}{finding.message}")
    if finding.fix:
        click.echo(f"{'':9}{'':{NAME_CHARS}}→ {finding.fix}")


def _findings(data_dir: Path) -> Iterator[Finding]:
    """Each as it is found: some take a second."""
    import asyncio  # noqa: PLC0415  # with the clients below, more than a command's help may take

    from premia.doctor.machine import check_machine, check_packages  # noqa: PLC0415

    premia = premia_command(data_dir)
    packages = check_packages()
    yield packages
    known = environment_for(data_dir)
    if packages.ok:
        from premia.local.stack import LocalStack  # noqa: PLC0415

        stack = LocalStack(data_dir)
        yield from check_machine(stack, premia=premia)
    if not known.get("KAFKA_BOOTSTRAP_SERVERS") and not known.get("DATABASE_URL"):
        yield Finding("Stack", ok=False, message=f"there is none in {data_dir}", fix=f"{premia} up, or {premia} demo")
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is said by the finding, once
    yield from asyncio.run(_of_what_runs(known, premia=premia))


async def _of_what_runs(known: Mapping[str, str], *, premia: str) -> list[Finding]:
    from premia.doctor.programme import check_kafka, check_postgres, check_services  # noqa: PLC0415

    checks: tuple[AsyncIterator[Finding], ...] = tuple(
        check(known, premia=premia) for check in (check_kafka, check_postgres, check_services)
    )
    return [finding for check in checks async for finding in check]
