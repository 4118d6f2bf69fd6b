"""Stand-in."""

from services.stand_in import serve

serve("PREMIA_PAYOUT_HTTP")
