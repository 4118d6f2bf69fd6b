"""What goes wrong with bank files.

BankFileError
├── PaymentFileInvalidError   we were about to write something a bank would reject: our fault, nothing was written
├── BankFileUnreadableError   what the bank sent cannot be read for certain: quarantine the original bytes, ask a person
├── BankFileConflictError     a file of that name but with other bytes lies in the folder already
└── BankFolderUnusableError   a folder is missing, is no folder, or holds more than we read
"""

from __future__ import annotations

from enum import StrEnum


class BankFileError(Exception):
    """Root of this package's exceptions."""


class PaymentFileFault(StrEnum):
    """Why a payment file is not written. Schema-valid is not bank-valid: most of these pass both XML schemas."""

    AMOUNT_NOT_POSITIVE = "AMOUNT_NOT_POSITIVE"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    CURRENCY_UNKNOWN = "CURRENCY_UNKNOWN"
    CURRENCIES_MIXED = "CURRENCIES_MIXED"
    PAYMENT_COUNT = "PAYMENT_COUNT"
    REFERENCE_INVALID = "REFERENCE_INVALID"
    REFERENCE_REPEATED = "REFERENCE_REPEATED"
    UETR_INVALID = "UETR_INVALID"
    ACCOUNT_INVALID = "ACCOUNT_INVALID"
    BIC_INVALID = "BIC_INVALID"
    COUNTRY_UNKNOWN = "COUNTRY_UNKNOWN"
    TEXT_EMPTY = "TEXT_EMPTY"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    TEXT_NOT_WRITABLE = "TEXT_NOT_WRITABLE"
    TIME_WITHOUT_ZONE = "TIME_WITHOUT_ZONE"


class PaymentFileInvalidError(BankFileError):
    """The payment file breaks a rule; `field` is its path joined with dots, rows from 0."""

    def __init__(self, fault: PaymentFileFault, field: str, message: str) -> None:
        super().__init__(f"{fault} at {field}: {message}")
        self.fault = fault
        self.field = field
        self.message = message


class UnreadableFault(StrEnum):
    """Why a received file goes to a person."""

    FILE_EMPTY = "FILE_EMPTY"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    FILE_CHANGED_WHILE_READ = "FILE_CHANGED_WHILE_READ"
    NOT_XML = "NOT_XML"
    DOCTYPE_REFUSED = "DOCTYPE_REFUSED"
    MESSAGE_UNKNOWN = "MESSAGE_UNKNOWN"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_INVALID = "FIELD_INVALID"


class BankFileUnreadableError(BankFileError):
    """The bytes cannot be read for certain. `location` is a path and line where there is one."""

    def __init__(self, fault: UnreadableFault, message: str, location: str | None = None) -> None:
        super().__init__(f"{fault}{f' at {location}' if location else ''}: {message}")
        self.fault = fault
        self.message = message
        self.location = location


class BankFileConflictError(BankFileError):
    """The name is taken by other bytes. Never overwritten: one of the two may have been sent."""


class BankFolderUnusableError(BankFileError):
    """The folder cannot be used as it is; the message names it and says what to do."""
