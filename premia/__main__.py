"""Entry point of the `premia` command.

Goal: one command with many subcommands, whose first output comes in under 100 ms.
Method: `COMMANDS` names the module and the attribute of each subcommand; a module is imported only when it is called.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from typing import Final

import click

from premia.local.errors import EXIT_INTERRUPTED

EXIT_FULL: Final = 3  # as what cannot be reached
EXIT_NOBODY_READS: Final = 141  # as shells report what SIGPIPE ended; click's own 1 means that a check found something

# name -> (module, attribute, one line of help). The help stands here so that `premia --help` imports nothing else.
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "accounts": ("premia.commands.accounts", "accounts", "Propose and verify payment accounts (two persons)."),
    "backup": ("premia.commands.backup", "backup", "Copy database, log and documents into a folder."),
    "balances": ("premia.commands.balances", "balances", "Show the ledger's balances."),
    "calculate": ("premia.commands.calculate", "calculate", "Calculate sales from files, without Kafka."),
    "corrections": ("premia.commands.corrections", "corrections", "Open and correct balances of the ledger (two persons)."),
    "demo": ("premia.commands.demo", "demo", "Settle the whole sample programme on this machine."),
    "dlq": ("premia.commands.dlq", "dlq", "List, show and redrive events that could not be used."),
    "doctor": ("premia.commands.doctor", "doctor", "Say what is missing, and the fix."),
    "down": ("premia.commands.stack", "down", "Stop the local stack."),
    "explain": ("premia.commands.explain", "explain", "Tell the calculation of a lot in words, with sources."),
    "fsck": ("premia.commands.fsck", "fsck", "Recompute and check the invariants of the ledger."),
    "gaps": ("premia.commands.gaps", "gaps", "Show sales that refiners counted and that never arrived."),
    "keys": ("premia.commands.keys", "keys", "Make keys of refiners, of the log and its witnesses."),
    "ledger": ("premia.commands.ledger", "ledger", "Read, export or rebuild the ledger."),
    "logs": ("premia.commands.stack", "logs", "Show the log of a service of the local stack."),
    "lot": ("premia.commands.lot", "lot", "Show what became of one lot."),
    "migrate": ("premia.commands.migrate", "migrate", "Bring the database schemas up to date."),
    "organization": ("premia.commands.organization", "organization", "Show what one organization earned and was paid."),
    "payouts": ("premia.commands.payouts", "payouts", "List settlement cycles and payouts, approve them."),
    "proof": ("premia.commands.proof", "proof", "Save what proves a statement, a lot or a payout."),
    "publish": ("premia.commands.publish", "publish", "Publish sales from files."),
    "recalculate": ("premia.commands.recalculate", "recalculate", "Calculate lots again that the registry changed."),
    "registry": ("premia.commands.registry", "registry", "Check, compare, show and apply the registry."),
    "restore": ("premia.commands.backup", "restore", "Bring a backup back into empty places."),
    "schemes": ("premia.commands.schemes", "schemes", "Check, show and compare schemes, the terms of premiums."),
    "schema": ("premia.commands.schema", "schema", "Say how the contracts differ from a release."),
    "settle": ("premia.commands.settle", "settle", "Prepare a settlement cycle."),
    "simulate": ("premia.commands.simulate", "simulate", "Tell who would get more or less under proposed terms."),
    "statements": ("premia.commands.statements", "statements", "Issue and list statements."),
    "status": ("premia.commands.stack", "status", "Show the state of the whole, and what is worth doing."),
    "topics": ("premia.commands.topics", "topics", "Create the Kafka topics."),
    "trace": ("premia.commands.trace", "trace", "Tell the story of a lot, a payout or a statement."),
    "up": ("premia.commands.stack", "up", "Start the local stack."),
    "verify": ("premia.commands.verify", "verify", "Check statements, lots, payouts and the log, offline."),
    "witness": ("premia.commands.witness", "witness", "Watch a log, and sign what it shows."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is used, and suggests one when the name is unknown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands from `COMMANDS`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        """As click does, without colours where NO_COLOR is set; what ends it from outside has an exit code of its own."""
        if os.environ.get("NO_COLOR"):  # no-color.org: whatever its value, unless it is empty
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EPIPE}:
                raise
            if error.filename is None:  # what is left to be written would be tried again at the end, and fail there
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.EPIPE:
                raise click.exceptions.Exit(EXIT_NOBODY_READS) from None
            click.echo(f"{error.filename or 'standard output'}: {error.strerror}: it was not written to the end", err=True)
            raise click.exceptions.Exit(EXIT_FULL) from error

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with 'did you mean' added."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="premia")
def main() -> None:
    """Premia turns gold sale events into premium payouts that anyone can check.

    Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 a check found something, 2 wrong use or input,
    3 a part that is needed cannot be reached, 4 something was rejected, 130 interrupted,
    141 nobody reads the output any more.
    """


if __name__ == "__main__":
    main()
