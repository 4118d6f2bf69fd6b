"""django-hordak posting transfers: run by benchmarks.ledger_peers, in a virtual environment that has it.

Goal: the rate at which the fairest Python peer posts, on the same PostgreSQL.
Method: its own `Account.transfer_to`, on accounts that exist, once as its documentation has it (a commit for each transfer) and
once with as many transfers to a commit as the ledger has entitlements. One JSON object on standard output.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings


def main(url: str, accounts: int, batch: int, seconds: float) -> None:
    """Print transfers a second: {"one a commit": …, "2,000 a commit": …}."""
    server = urlsplit(url)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": server.path[1:],
                "USER": unquote(server.username or ""),
                "PASSWORD": unquote(server.password or ""),
                "HOST": server.hostname,
                "PORT": server.port,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  all four want the settings first
    from django.db import transaction  # noqa: PLC0415
    from hordak.models import Account  # noqa: PLC0415
    from moneyed import Money  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    payer, *payees = [
        Account.objects.create(name=f"account {number}", code=f"{number:04d}", type="AS", currencies=["USD"])
        for number in range(accounts + 1)
    ]
    amount = Money("1498.08", "USD")
    rates = {}
    for name, transfers in (("one a commit", 1), (f"{batch:,} a commit", batch)):
        posted, turns, started = 0, itertools.cycle(payees), time.perf_counter()
        while time.perf_counter() - started < seconds:
            with transaction.atomic():
                for payee in itertools.islice(turns, transfers):
                    payer.transfer_to(payee, amount)
            posted += transfers
        rates[name] = posted / (time.perf_counter() - started)
    print(json.dumps(rates))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
