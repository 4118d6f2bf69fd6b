"""The programs of the stack: what each is for, how it is told to be ready, in which order they come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from premia.local.limits import INFRASTRUCTURE_STOP_S, SERVICE_STOP_S


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process."""

    name: str
    title: str
    group: str
    stop_signal: str
    stop_wait_s: int


INFRASTRUCTURE_GROUP: Final = "infrastructure"
SERVICES_GROUP: Final = "services"

PROGRAMS: Final[dict[str, Program]] = {
    program.name: program
    for program in (
        Program("kafka", "Apache Kafka", INFRASTRUCTURE_GROUP, "TERM", INFRASTRUCTURE_STOP_S),
        # SIGINT is PostgreSQL's fast shutdown: SIGTERM would wait for every client to leave.
        Program("postgres", "PostgreSQL", INFRASTRUCTURE_GROUP, "INT", INFRASTRUCTURE_STOP_S),
        Program("bank", "mock bank", INFRASTRUCTURE_GROUP, "TERM", INFRASTRUCTURE_STOP_S),
        Program("calculator", "premium calculator", SERVICES_GROUP, "TERM", SERVICE_STOP_S),
        Program("ledger", "ledger", SERVICES_GROUP, "TERM", SERVICE_STOP_S),
        Program("payout", "payout", SERVICES_GROUP, "TERM", SERVICE_STOP_S),
    )
}
INFRASTRUCTURE: Final = tuple(name for name, program in PROGRAMS.items() if program.group == INFRASTRUCTURE_GROUP)
SERVICES: Final = tuple(name for name, program in PROGRAMS.items() if program.group == SERVICES_GROUP)
SERVICE_MODULES: Final = {"calculator": "services.premium_calculator", "ledger": "services.ledger", "payout": "services.payout"}
