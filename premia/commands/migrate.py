"""`premia migrate`: every schema at the version of this code, every login with the roles it needs and no other.

Goal: one command makes a database ready; running it again changes nothing.
Method: as the administrator of DATABASE_URL: the numbered migrations of each service (services.runtime.migrations), then the
login roles that the services' own URLs name, with their passwords. A login gets a service's writer or reader role and never
owns anything.
Refuses: a login that is a superuser, because nothing is append-only to one; migrations that do not fit: exit 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import click

import services
from premia.connection import environment, needed
from premia.database import connected
from services.runtime.migrations import MigrationError
from services.runtime.migrations import migrate as run_migrations

if TYPE_CHECKING:
    from services.runtime.database import Connection

EXIT_WRONG: Final = 2
SCHEMAS: Final = ("ledger", "payout")
ROLES_BY_VARIABLE: Final = {
    "PREMIA_LEDGER_DATABASE_URL": ("ledger_writer",),
    "PREMIA_PAYOUT_DATABASE_URL": ("payout_writer",),
    "PREMIA_READER_DATABASE_URL": ("ledger_reader", "payout_reader"),
}
LOGIN_STATEMENT: Final = """
    SELECT format(
        CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)
            THEN 'ALTER ROLE %I LOGIN PASSWORD %L' ELSE 'CREATE ROLE %I LOGIN PASSWORD %L' END, $1::text, $2::text)"""


class WrongInput(click.ClickException):
    """The database or the settings do not fit this code."""

    exit_code = EXIT_WRONG


@click.command()
def migrate() -> None:
    """Bring the database schemas up to date."""
    known = environment()
    asyncio.run(bring_up_to_date(needed("DATABASE_URL", known), known))


async def bring_up_to_date(url: str, known: Mapping[str, str]) -> None:
    """Migrate the database at `url`, and allow the logins that `known` names by its variables."""
    folder = Path(services.__path__[0])
    async with connected(url) as conn:
        for schema in SCHEMAS:
            try:
                applied = await run_migrations(conn, schema=schema, folder=folder / schema / "migrations")
            except MigrationError as error:
                raise WrongInput(str(error)) from error
            for migration in applied:
                click.echo(f"applied {schema} {migration.number:04d}_{migration.name}")
            if not applied:
                click.echo(f"{schema} is up to date", err=True)
        for variable, roles in ROLES_BY_VARIABLE.items():
            if variable in known:
                await _allow_login(conn, variable, known[variable], roles)
            else:
                click.echo(f"{variable} is not set: its login was left alone", err=True)


async def _allow_login(conn: Connection, variable: str, url: str, roles: tuple[str, ...]) -> None:
    parts = urlsplit(url)
    login, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not login:
        raise WrongInput(f"{variable} names no login: write it as postgresql://LOGIN:PASSWORD@HOST:PORT/DATABASE")
    if await conn.fetchval("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1", login):
        raise WrongInput(f"{variable}: {login} is a superuser, to whom no journal is append-only: name a login of its own")
    await conn.execute(await conn.fetchval(LOGIN_STATEMENT, login, password))
    for role in roles:
        # Not `pg_has_role`: a superuser's or inherited membership is not what is wanted here.
        if await conn.fetchval(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE roleid = $1::regrole AND member = $2::regrole)",
            role,
            login,
        ):
            continue
        statement = await conn.fetchval("SELECT format('GRANT %I TO %I', $1::text, $2::text)", role, login)
        await conn.execute(statement)
        click.echo(f"granted {role} to {login}")
