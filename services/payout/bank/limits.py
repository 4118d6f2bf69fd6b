"""Limits of the bank's files, each with its reason."""

from __future__ import annotations

from typing import Final

# The Swiss Payment Standards allow 99,999; a tenth keeps one file far below every size limit (10,000 payments are 6.3 MB,
# written in 0.4 s) and small enough that a person can be asked about it. A programme has some 130 payees.
PAYMENTS_PER_FILE_MAX: Final = 10_000
REFERENCE_CHARS_MAX: Final = 35  # ISO 20022 Max35Text: message, payment information and end-to-end ids.
END_TO_END_ID_CHARS: Final = 32  # hexadecimal digits; a UUID with hyphens has 36 and does not fit.
# ISO allows 140; correspondent banks carry 70 (SWIFT and SIC), and what they cut can no longer be matched with the holder.
NAME_CHARS_MAX: Final = 70
REMITTANCE_CHARS_MAX: Final = 140  # one Ustrd; the Swiss profile takes only one.
STREET_CHARS_MAX: Final = 70
TOWN_CHARS_MAX: Final = 35
BUILDING_CHARS_MAX: Final = 16
POSTAL_CODE_CHARS_MAX: Final = 16
ACCOUNT_CHARS_MAX: Final = 34  # Max34Text; a Peruvian CCI has 20, a Bolivian account at most 30.
TAX_ID_CHARS_MAX: Final = 35
CLEARING_SYSTEM_CHARS_MAX: Final = 5  # ExternalClearingSystemIdentification1Code.
CLEARING_NUMBER_CHARS_MAX: Final = 35
# ISO 20022 amounts and sums have 18 digits in all.
AMOUNT_MINOR_MAX: Final = 10**18 - 1

# A whole parse of 10,000 bookings needs about 100 MB for 6 MB of XML: a bigger file is split by the bank or not a bank's.
BANK_FILE_BYTES_MAX: Final = 64 * 1024 * 1024
FOLDER_ENTRIES_MAX: Final = 10_000  # a folder with more is not being emptied: stop and say so instead of reading for hours.
READ_CHUNK_BYTES: Final = 1024 * 1024

assert END_TO_END_ID_CHARS <= REFERENCE_CHARS_MAX, "every end-to-end id must fit its element"
