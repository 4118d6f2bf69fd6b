"""`premia up`, `down`, `status`, `logs`: the local stack at the command line.

Goal: one command brings everything up, and leaves nothing behind when it is told to stop.
Method: what the machine lacks is said before anything is imported that it may lack. Schemas and topics are made by the commands
that make them anywhere else, as processes of their own with the stack's environment.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from premia.local.environment import LOG_VERIFIER_FILE
from premia.local.errors import EXIT_INTERRUPTED, StackUnreachable
from premia.local.invocation import premia_command
from premia.local.limits import POLL_INTERVAL_S, READY_GRACE_S
from premia.local.machine import check_installation
from premia.local.programs import PROGRAMS, SERVICES
from premia.local.state import DATA_DIR_VARIABLE, DEFAULT_DATA_DIR
from premia.local.talk import progress

if TYPE_CHECKING:  # what these import is not there on a machine without the extra `local`, which is told so first
    from premia.local.report import StackReport
    from premia.local.stack import LocalStack
    from premia.local.whole import Whole

EXIT_NOT_READY: Final = 1
LABEL_CHARS: Final = 14
PREPARATIONS: Final = (("migrate",), ("topics", "apply"))

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA_DIR,
    envvar=DATA_DIR_VARIABLE,
    show_default=True,
    help=f"Folder of the stack; {DATA_DIR_VARIABLE} says it for all commands.",
)


@click.command()
@data_dir_option
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C, then stop everything.")
@click.option("--new-ports", is_flag=True, help="Choose free ports anew instead of those written down.")
@click.option("--infrastructure", is_flag=True, help="Kafka, PostgreSQL and the bank only: to restore a backup into them.")
def up(data_dir: Path, *, foreground: bool, new_ports: bool, infrastructure: bool) -> None:
    """Start Kafka, PostgreSQL, a mock bank and the services.

    Everything listens on 127.0.0.1 only and writes below one folder. Running it again changes nothing.
    KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL, if set, are used instead of starting one.
    """
    stack = new_stack(data_dir, ends_with_caller=foreground)
    was_running = bool(stack.process_ids())
    with signals_as_interrupts():
        try:
            if infrastructure:
                stack.start_infrastructure(new_ports=new_ports)
            else:
                bring_up(stack, new_ports=new_ports)
            _print_servers(stack)
            if infrastructure:
                premia = premia_command(stack.data_dir)
                click.echo(f"Next: {premia} restore FOLDER, {premia} fsck, {premia} up. Stop: {premia} down", err=True)
            else:
                _print_services(stack)
                for name, trouble in troubles(stack).items():
                    click.echo(f"{PROGRAMS[name].title} is up and waits: {trouble}", err=True)
            if foreground:
                from premia.local.watch import watch  # noqa: PLC0415  # after check_installation

                click.echo("Stays until Ctrl-C.", err=True)
                watch(stack, threading.Event())
        except KeyboardInterrupt:
            stop_stack(stack)
            raise click.exceptions.Exit(0 if foreground else EXIT_INTERRUPTED) from None
        except (click.ClickException, click.exceptions.Exit):
            if not was_running:
                stop_stack(stack)
            raise


@click.command()
@data_dir_option
def down(data_dir: Path) -> None:
    """Stop everything that `premia up` started. Data stay."""
    stack = new_stack(data_dir)
    if not stack.exists():
        click.echo(f"There is no local stack in {stack.data_dir}.", err=True)
        return
    stop_stack(stack)


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, on one line.")
def status(data_dir: Path, *, as_json: bool) -> None:
    """Show the state of the whole, and the three things most worth doing.

    Each program with its process, memory and port; what waits, what is held, what is at the bank. Exit code 1 if a program is
    not ready.
    """
    stack = new_stack(data_dir)
    from premia.local.report import report  # noqa: PLC0415  # after check_installation

    found = report(stack)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        _print_report(found)
    if not found.ready:
        raise click.exceptions.Exit(EXIT_NOT_READY)


@click.command()
@click.argument("service", type=click.Choice([*PROGRAMS, "supervisord"]))
@data_dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True, help="How many lines from the end.")
def logs(service: str, data_dir: Path, *, follow: bool, lines: int) -> None:
    """Show the log of one program of the stack."""
    from premia.local.logs import follow as followed  # noqa: PLC0415
    from premia.local.logs import last_lines  # noqa: PLC0415

    path = data_dir.absolute() / "logs" / f"{service}.log"
    if not path.exists() and not follow:
        raise StackUnreachable(f"{path} does not exist: {service} has not run here (premia up)")
    try:
        for line in followed(path, lines) if follow else last_lines(path, lines):
            click.echo(line)
    except KeyboardInterrupt:
        return


def bring_up(stack: LocalStack, *, new_ports: bool = False) -> None:
    """Infrastructure, schemas, topics, services. Raises click's exceptions with the exit code of what failed."""
    stack.start_infrastructure(new_ports=new_ports)
    for arguments in PREPARATIONS:
        run_premia(stack, *arguments)
    stack.start_services()


def troubles(stack: LocalStack) -> dict[str, str]:
    """Why services are not ready, in their words; they get a moment to become it."""
    waiting = set(SERVICES)
    deadline = time.monotonic() + READY_GRACE_S
    while waiting and time.monotonic() < deadline:
        waiting = {name for name in waiting if not stack.is_ready(name)}
        time.sleep(POLL_INTERVAL_S)
    return {name: stack.trouble(name) or "it does not say for what" for name in SERVICES if name in waiting}


def run_premia(stack: LocalStack, *arguments: str) -> None:
    """Run one of Premia's own commands against the stack. It is silent unless it fails; then its output is passed on."""
    command = [sys.executable, "-P", "-m", "premia", *arguments]
    environment = stack.command_environment()
    with (
        progress(f"premia {' '.join(arguments[:2])}") as tick,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,  # noqa: S603
    ):
        said = _output_of(process, tick)
    if process.returncode != 0:
        click.echo(said.rstrip(), err=True)
        click.echo(f"`premia {' '.join(arguments)}` failed with exit code {process.returncode}.", err=True)
        raise click.exceptions.Exit(process.returncode)


def _output_of(process: subprocess.Popen[str], tick: Callable[[int], None]) -> str:
    while True:
        try:
            return process.communicate(timeout=POLL_INTERVAL_S)[0]
        except subprocess.TimeoutExpired:
            tick(0)


def new_stack(data_dir: Path, *, bank_clock: str | None = None, ends_with_caller: bool = False) -> LocalStack:
    check_installation()
    from premia.local.stack import LocalStack  # noqa: PLC0415  # imports what check_installation looked for

    return LocalStack(data_dir, bank_clock=bank_clock, ends_with_caller=ends_with_caller)


def stop_stack(stack: LocalStack) -> None:
    """Stop and say what was stopped. A second Ctrl-C does not interrupt it: it takes at most ten seconds."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stopped = stack.stop()
    finally:
        signal.signal(signal.SIGINT, previous)
    if stopped:
        click.echo(f"Stopped {', '.join(stopped)}. Data stay; to start over, remove {' and '.join(stack.places())}", err=True)
    else:
        click.echo("Nothing was running.", err=True)


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP (a closed terminal) end the command as Ctrl-C does."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print_servers(stack: LocalStack) -> None:
    environment = stack.environment()
    click.echo(f"Data, logs   {stack.data_dir}")
    click.echo(f"Kafka        {environment['KAFKA_BOOTSTRAP_SERVERS']}")
    click.echo(f"PostgreSQL   {environment['DATABASE_URL'].rpartition('@')[2]} (logins in {stack.data_dir / 'env'})")
    click.echo(f"Mock bank    {environment['PREMIA_BANK_URL']}")


def _print_services(stack: LocalStack) -> None:
    environment = stack.environment()
    for name, variable in (("Calculator", "CALCULATOR"), ("Ledger", "LEDGER"), ("Payout", "PAYOUT")):
        click.echo(f"{name:<12} http://{environment[f'PREMIA_{variable}_HTTP']}/metrics")
    click.echo(f"Public log   {environment['PREMIA_LEDGER_URL']}/checkpoint (key in {stack.data_dir / LOG_VERIFIER_FILE})")
    premia = premia_command(stack.data_dir)
    click.echo(
        f"Next: {premia} registry apply FILE --schemes DIR, {premia} publish FILE, {premia} status. Stop: {premia} down",
        err=True,
    )


def _print_report(found: StackReport) -> None:
    if not found.programs:
        click.echo(f"There is no local stack in {found.data_dir}.")
    else:
        click.echo(f"{'':12}{'state':10}{'ready':7}{'pid':>8}{'up':>10}{'memory':>9}{'port':>7}")
    for program in found.programs:
        ready = "yes" if program.ready else "no"
        up_for = "" if program.uptime_s is None else _duration(program.uptime_s)
        memory = "" if program.memory_mb is None else f"{program.memory_mb} MB"
        pid = program.pid or ""
        figures = f"{pid:>8}{up_for:>10}{memory:>9}{program.port:>7}"
        click.echo(f"{program.name:12}{program.state:10}{ready:7}{figures}")
    for name, address in found.external.items():
        click.echo(f"{name:12}{'elsewhere':10}{address}")
    if found.programs:
        click.echo(f"Data in {found.data_dir}; logs: premia logs NAME")
    for program in found.programs:
        if program.trouble:
            click.echo(f"\n{program.title} waits: {program.trouble}")
        if program.deaths:
            times = "once" if program.deaths == 1 else f"{program.deaths} times"
            click.echo(f"\n{program.title} died {times} since the stack was started. Its last words:")
            for line in program.last_words or ["(none)"]:
                click.echo(f"  {program.name} | {line}")
    if found.whole:
        click.echo()
        for label, text in _whole_lines(found.whole):
            click.echo(f"{label:<{LABEL_CHARS}}{text}")
    click.echo("\nWorth doing next:")
    for advice in found.next:
        click.echo(f"  {advice.why}\n    {advice.command}")


def _whole_lines(whole: Whole) -> Iterator[tuple[str, str]]:
    from premia.local.advice import money_by_code  # noqa: PLC0415

    def shown(count: int | None) -> str:
        return "?" if count is None else f"{count:,}"

    yield (
        "Waiting",
        f"{shown(whole.sales_waiting)} sales to be calculated, {shown(whole.entitlements_waiting)} records to be posted, "
        f"{shown(whole.transactions_waiting)} transactions to be seen by payout",
    )
    if whole.unbalanced_units is None:
        yield "Ledger", "nothing measured yet"
    else:
        off = ", ".join(whole.unbalanced_units)
        yield "Ledger", f"DOES NOT BALANCE in {off}" if off else "debits equal credits in every unit"
    for label, amounts in (("Held", whole.held_minor), ("Carried over", whole.carried_over_minor)):
        yield label, "?" if amounts is None else money_by_code(amounts) or "nothing"
    yield (
        "Payouts",
        "?"
        if whole.orders is None
        else f"{whole.to_approve:,} to be approved, {whole.at_bank:,} at the bank without an answer",
    )
    yield "Bank", f"{shown(whole.suspended_bookings)} bookings to be cleared, {shown(whole.quarantined_files)} unusable files"


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
