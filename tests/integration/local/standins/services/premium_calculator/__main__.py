"""Stand-in."""

from services.stand_in import serve

serve("PREMIA_CALCULATOR_HTTP")
