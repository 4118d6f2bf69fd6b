"""The mock bank of demo and tests, as its own HTTP interface lets one steer it.

It stands for the outside world: payers' money arrives, time passes, the drop folder is looked at. No service calls it; services
and bank exchange files.
Source: the package mock-bank, README. Amounts are minor units there too.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from premia.local.errors import StackUnreachable
from premia.local.launch import CLOCK_FILE
from premia.local.limits import HTTP_TIMEOUT_S

PROGRAMME_ACCOUNT: Final = "PREMIA"  # the bank's own id of the account, in its URLs and file names
SEEDED_ACCOUNTS: Final = ("ACME", "GLOBEX", "INITECH", "EURODIS")  # what every new mock bank comes with, in EUR
BAD_REQUEST: Final = 400


class BankRefusedError(Exception):
    """The bank answered with an error; the message is its own."""


@dataclass(frozen=True, slots=True)
class Bank:
    """A running mock bank. `clock_file` keeps its date over restarts, because the bank itself forgets it."""

    url: str
    clock_file: Path | None = None

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request; returns the decoded JSON. Raises BankRefusedError, or StackUnreachable if nobody answers."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=HTTP_TIMEOUT_S)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        except OSError as error:
            raise StackUnreachable(
                f"the mock bank at {self.url} does not answer ({error}): start it with `premia up`"
            ) from error
        finally:
            connection.close()
        if response.status >= BAD_REQUEST:
            raise BankRefusedError(answer.get("error", f"HTTP {response.status}"))
        return answer

    def open_programme_account(self, iban: str, *, name: str, bic: str = "", currency: str = "USD") -> None:
        """Open the programme's account, or bring it to these terms. Its balance stays.

        The accounts that every mock bank starts with are closed: each open account gets a statement for every business day.
        """
        terms = {"iban": iban, "name": name, "bic": bic, "currency": currency}
        held = {account["id"]: account for account in self.call("GET", "/_mock/accounts")}
        if PROGRAMME_ACCOUNT in held:
            self.call("PATCH", f"/_mock/accounts/{PROGRAMME_ACCOUNT}", {**terms, "closed": False})
        else:
            self.call("POST", "/_mock/accounts", {"id": PROGRAMME_ACCOUNT, **terms})
        for identifier in SEEDED_ACCOUNTS:
            if identifier in held and not held[identifier]["closed"]:
                self.call("PATCH", f"/_mock/accounts/{identifier}", {"closed": True})

    def credit(
        self, amount_minor: int, *, payer: str, reference: str, end_to_end_id: str, on: date | None = None, note: str = ""
    ) -> dict[str, Any]:
        """Let a payer's money arrive on the programme's account, on its value date or the next business day; default today."""
        body: dict[str, Any] = {
            "account": PROGRAMME_ACCOUNT,
            "amount": amount_minor,
            "debtor": {"name": payer},
            "reference": reference,
            "end_to_end_id": end_to_end_id,
        }
        if on is not None:
            body["value_date"] = on.isoformat()
        if note:
            body["note"] = note
        credited: dict[str, Any] = self.call("POST", "/_mock/credits", body)
        return credited

    def return_later(self, end_to_end_id: str, *, reason: str, business_days: int) -> None:
        """Let one payment come back after it was booked, and no other. Tell the bank before it books it.

        It comes back whole: this bank knows no fees.
        """
        parameters = {"end_to_end_id": end_to_end_id, "reason": reason, "days": business_days}
        body = {"behaviour": "return-later", "parameters": parameters}
        self.call("PATCH", f"/_mock/accounts/{PROGRAMME_ACCOUNT}", body)

    def advance_to(self, day: date) -> list[date]:
        """Move the clock to the start of `day`; due bookings and statements are made. Returns business days passed through.

        A day that the clock has reached is no move; an earlier one is refused (BankRefusedError): the clock never goes back.
        """
        moved = self.call("POST", f"/_mock/advance?to={day.isoformat()}")
        if self.clock_file is not None:
            self.clock_file.write_text(datetime.fromisoformat(moved["to"]).strftime("%Y-%m-%dT%H:%M:%S"), encoding="ascii")
        return [date.fromisoformat(crossed) for crossed in moved["businessDaysCrossed"]]

    def today(self) -> date:
        """The bank's date."""
        return date.fromisoformat(self.call("GET", "/_mock/state")["clock"]["date"])

    def scan_drop_folder(self) -> list[dict[str, Any]]:
        """Let the bank look into its drop folder now. One entry for each file it took, with status, accepted and rejected."""
        scanned: dict[str, Any] = self.call("POST", "/_mock/drop/scan")
        files: list[dict[str, Any]] = scanned["files"]
        return files

    def payments(self) -> list[dict[str, Any]]:
        """Every payment that the bank was ever sent."""
        sent: list[dict[str, Any]] = self.call("GET", "/_mock/payments")
        return sent

    def balance_minor(self) -> int:
        """What is on the programme's account."""
        return int(self.call("GET", f"/_mock/accounts/{PROGRAMME_ACCOUNT}")["balance"])

    def answers(self) -> bool:
        """Whether the bank is up."""
        try:
            self.call("GET", "/_mock/health")
        except (StackUnreachable, BankRefusedError):
            return False
        return True


def bank_of(data_dir: Path, url: str) -> Bank:
    """The bank of a local stack."""
    return Bank(url, data_dir / "bank" / CLOCK_FILE)
