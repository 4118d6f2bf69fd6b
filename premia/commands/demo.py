"""`premia demo`: a whole sample programme, from the first sale to the last statement.

Goal: one command shows everything working, on real Kafka and PostgreSQL, and leaves it there to be looked at.
Method: starts the local stack anew in a folder of its own, applies the sample's registry, drives the sample through it
(premia.demo.drive), prints figures and commands. On a terminal it stays up until Ctrl-C; elsewhere it stops.
Refuses: a folder that holds a stack which the demo did not make, or one that runs: the bank's clock never goes back, so a demo
starts over. Servers from elsewhere (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL) that hold a programme: it is not ours to remove.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from premia.commands.stack import bring_up, data_dir_option, new_stack, run_premia, signals_as_interrupts, stop_stack
from premia.demo.stopwatch import Stopwatch
from premia.local.errors import EXIT_INTERRUPTED, MachineNotReady
from premia.local.invocation import premia_command
from samples.reader import PROGRAMME_FILE, SampleFileError, read_accounts, read_cycles, read_sales
from schemas.registry_file import RegistryFileError, load_registry

if TYPE_CHECKING:
    from premia.local.stack import LocalStack
    from schemas.registry_snapshot import LoadedRegistry

EXIT_WRONG_INPUT: Final = 2
MARK: Final = ".demo"  # a file in the data folder: what is in it was made by a demo, and the next one may remove it.
BANK_OPENS_AT: Final = "2014-01-02T08:00"  # the first business day of the sample.
SCHEMES: Final = Path(__file__).resolve().parents[2] / "schemes"


@click.command()
@data_dir_option
@click.option("--stop", "stops", is_flag=True, help="Stop the stack at the end, also on a terminal.")
def demo(data_dir: Path, *, stops: bool) -> None:
    """Settle a whole sample programme on this machine: 12 years, 17,000 sale events, synthetic.

    On a terminal the stack then stays up until Ctrl-C; elsewhere it stops. What was written remains until the next demo,
    which starts over.
    """
    stopwatch = Stopwatch()
    try:
        registry, sales = load_registry(PROGRAMME_FILE, SCHEMES), list(read_sales())
        accounts, cycles = read_accounts(), read_cycles()
    except (RegistryFileError, SampleFileError) as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    stays = sys.stdout.isatty() and not stops
    stack = new_stack(data_dir, bank_clock=BANK_OPENS_AT, ends_with_caller=True)
    _start_over(stack)
    from premia.demo.run import Sample, refuse_used_servers, run_sample  # noqa: PLC0415  # aiohttp, aiokafka and asyncpg, after the first words
    from premia.demo.summary import figures, next_steps, time_table  # noqa: PLC0415
    from premia.local.memory import PeakMemory  # noqa: PLC0415

    settled = False
    with signals_as_interrupts():
        try:
            with stopwatch.step("start Kafka, PostgreSQL, bank and services"):
                _mark(stack)
                bring_up(stack)
                asyncio.run(refuse_used_servers(stack))
            with PeakMemory(stack.all_pids) as memory:
                with stopwatch.step("apply the registry"):
                    apply_registry(stack, registry)
                facts, story = asyncio.run(run_sample(stack, Sample(registry, sales, accounts, cycles), stopwatch))
            if not stays:
                with stopwatch.step("stop"):
                    stop_stack(stack)
            assert registry.snapshot.programme is not None, "the sample has a programme"
            programme = registry.snapshot.programme
            _print(
                figures(facts, programme=programme.name, synthetic=programme.synthetic, documents=stack.data_dir / "documents")
            )
            _print(time_table(stopwatch.seconds, stopwatch.elapsed_s(), memory.peak_bytes))
            _print(story)
            _print(next_steps(stack.data_dir, runs=stays))
            if stays:
                from premia.local.watch import watch  # noqa: PLC0415

                click.echo("\nEverything stays up until Ctrl-C.", err=True)
                settled = True
                watch(stack, threading.Event())
        except KeyboardInterrupt:
            stop_stack(stack)
            if settled:
                return
            click.echo("Interrupted before its end: the next demo starts over.", err=True)
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
        except (click.ClickException, click.exceptions.Exit):
            stop_stack(stack)
            raise


def _start_over(stack: LocalStack) -> None:
    if not stack.exists():
        click.echo(f"The demo writes to {stack.data_dir}.", err=True)
        return
    if not (stack.data_dir / MARK).exists():
        raise MachineNotReady(
            f"{stack.data_dir} holds a stack that is not a demo's: choose another folder with --data-dir, or remove it"
        )
    if stack.process_ids():
        raise MachineNotReady(
            f"the stack in {stack.data_dir} is running: stop it with `{premia_command(stack.data_dir)} down`, "
            "or choose another folder with --data-dir"
        )
    click.echo(f"Starting over: what the last demo wrote to {stack.data_dir} is removed; downloads are kept.", err=True)
    stack.remove()


def _mark(stack: LocalStack) -> None:
    stack.make_folders()
    (stack.data_dir / MARK).touch()


def apply_registry(stack: LocalStack, registry: LoadedRegistry) -> None:
    """Apply the sample's registry and open the programme's account at the bank."""
    from premia.local.bank import bank_of  # noqa: PLC0415

    programme = registry.snapshot.programme
    assert programme is not None, "the sample has a programme"
    debtor = registry.private[programme.id].debtor_account
    assert debtor is not None, "the sample's programme has an account"
    run_premia(stack, "registry", "apply", str(PROGRAMME_FILE), "--schemes", str(SCHEMES))
    bank_of(stack.data_dir, stack.environment()["PREMIA_BANK_URL"]).open_programme_account(
        debtor.account, name=debtor.holder, bic=debtor.bic or "", currency=debtor.currency
    )


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
    click.echo()
