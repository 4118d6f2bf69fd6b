"""`premia organization`: what one organization earned and was paid, what waits and why, lot by lot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import click

from premia.service_session import as_json, money, of, payout, print_json, print_table, run

LOTS_SHOWN: Final = 10  # a screen; --all shows every lot.


@click.command()
@click.argument("organization_id", metavar="ID")
@click.option("--all", "all_lots", is_flag=True, help="Every lot, not only the newest.")
@as_json
def organization(organization_id: str, *, all_lots: bool, as_json: bool) -> None:
    """Show what one organization or community fund earned, was paid and still has to get."""
    found = run(_get(organization_id))
    if as_json:
        print_json(found)
        return
    who = found["organization"]
    click.echo(click.style(f"{who['name']}  ({who['id']}, {who['country']}, {who['kind'].replace('_', ' ')})", bold=True))
    for currency, row in found["currencies"].items():
        click.echo(f"  earned        {money(row['earned'], currency):>20}")
        for name in ("corrected", "exchanged"):
            if Decimal(row[name]):
                click.echo(f"  {name}     {money(row[name], currency):>20}")
        click.echo(f"  transferred   {money(row['transferred'], currency):>20}")
        click.echo(f"  on its way    {money(row['in_transit'], currency):>20}")
        click.echo(f"  next cycle    {money(row['next_cycle'], currency):>20}")
        for label, amounts in (("on hold", row["held"]), ("carried over", row["carried_over"])):
            for code, amount in amounts.items():
                click.echo(f"  {label:<12}  {money(amount, currency):>20}  {code}")
    if not found["currencies"]:
        click.echo("  nothing earned yet")
    for account in found["accounts"]:
        by = f", verified by {account['verified_by']}" if account["verified_by"] else ""
        click.echo(f"  account …{account['last_four']} in {account['currency']}: {account['state']}{by}")
    _print_lots(found["lots"], all_lots=all_lots)
    _print_payouts(found["payouts"])
    if found["statements"]:
        numbers = ", ".join(
            f"no. {row['number']} ({row['period_from']} to {row['period_to']})" for row in found["statements"][:3]
        )
        click.echo(f"\n{of(len(found['statements']), 'statement')}: {numbers}", nl=False)
        click.echo(" …" if len(found["statements"]) > 3 else "")
        click.echo(f"Next: premia statements show {who['id']} --save FOLDER", err=True)


def _print_lots(lots: list[dict[str, Any]], *, all_lots: bool) -> None:
    if not lots:
        return
    newest = sorted(lots, key=lambda lot: (lot["sold_on"], lot["lot_id"]), reverse=True)
    shown = newest if all_lots else newest[:LOTS_SHOWN]
    click.echo(f"\n{of(len(lots), 'lot')}{'' if len(shown) == len(lots) else f', the newest {len(shown)}'}:")
    print_table(
        ["sold on", "lot", "rev.", "stage", "fine gold g", "scheme", "premium", "state"],
        [
            [
                lot["sold_on"],
                lot["lot_id"],
                str(lot["revision"]),
                lot["stage"],
                lot["fine_weight_g"] or "",
                premium["scheme_id"],
                money(premium["amount"], premium["currency"]),
                (lot["state"] or premium["reason"] or "").replace("_", " "),
            ]
            for lot in shown
            for premium in lot["premiums"]
        ],
        right=[2, 4, 6],
    )


def _print_payouts(payouts: list[dict[str, Any]]) -> None:
    if not payouts:
        return
    click.echo(f"\n{of(len(payouts), 'payout')}:")
    print_table(
        ["cycle", "amount", "account", "state", "booked on", "bank reference"],
        [
            [
                row["settles_on"],
                money(row["amount"], row["currency"]),
                f"…{row['account_last_four']}",
                row["payee_state"].replace("_", " "),
                row["booked_on"] or "",
                row["end_to_end_id"],
            ]
            for row in payouts
        ],
        right=[1],
    )


async def _get(organization_id: str) -> dict[str, Any]:
    async with payout(None) as client:
        found: dict[str, Any] = await client.get(f"/v1/organizations/{quote(organization_id, safe='')}")
        return found
