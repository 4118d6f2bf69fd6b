"""The registry of a programme: who takes part, with which status, when; and how it travels as events.

Goal: everybody calculates with the same registry, and nobody with half of one.
Method: the file has one entry for each organization. What others may read (registry.v1) and what they may not
(registry.private.v1: accounts, addresses, tax ids, contacts) are two records of the same id. An apply writes the
changed records, each with its apply_id, and then one marker; `schemas.registry_log` says when readers switch.
Refuses: overlapping status ranges of one scheme in one organization.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.base64url import from_base64url
from schemas.cloudevents import time_from_text
from schemas.contract import Contract, refuse_member
from schemas.currencies import Currency
from schemas.decimals import NonNegativeDecimal
from schemas.gold_sale import Weight
from schemas.identifiers import CountingFromZero, Country, Id, Language, PayloadHash, RegisteredId, Text
from schemas.scheme import DateRange, Scheme
from schemas.verifying_key import KEY_ID_PATTERN, PUBLIC_KEY_PATTERN

RECORD_TYPE: Final = "registry.record.v1"
MARKER_TYPE: Final = "registry.marker.v1"
PRIVATE_TYPE: Final = "registry.private.v1"

LIST_ENTRIES_MAX: Final = 1_000  # Status changes, accounts or contacts of one organization; real ones have a dozen.

SIGNING_KEYS_MAX: Final = 20  # of one refiner: one in force, one that follows, and those of some years before.

REPEATED_ID: Final = "is the id of an organization before"

OrganizationKind = Literal["producer", "exporter", "refiner", "payer", "community_fund"]
ActorRole = Literal["prepare", "approve", "accounts", "statements"]


def _ed25519_key(text: str) -> str:
    if from_base64url(text) is None:  # 43 characters hold two bits more than 32 bytes
        raise PydanticCustomError("public_key", "must be the 32 bytes of an Ed25519 key in base64url without padding")
    return text


def _moment(value: object) -> object:
    # Pydantic alone would take a number for seconds or milliseconds since 1970.
    if isinstance(value, datetime):
        return value
    try:
        time_from_text(value if isinstance(value, str) else "")
    except ValueError as error:
        raise PydanticCustomError("moment", "must be a time of RFC 3339 such as 2025-03-14T10:00:00Z") from error
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class Status(DateRange):
    """What an organization is to a scheme, over some days."""

    scheme: Id
    status: Id


class SigningKey(DateRange):
    """A public key that a refiner signs its sales with, over some days. The key is 32 bytes in base64url (RFC 8037, `x`)."""

    key_id: Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]
    """Name of the key, as the signature's protected header has it (`kid`)."""
    public_key: Annotated[str, StringConstraints(pattern=PUBLIC_KEY_PATTERN), AfterValidator(_ed25519_key)]
    """The Ed25519 key: its 32 bytes in base64url without padding."""


class Organization(Contract):
    """What is public of an organization. Only refiners sign; with `signature_required` nothing else of theirs is taken."""

    id: RegisteredId
    name: Text
    country: Country
    kind: OrganizationKind
    language: Language | None = None
    beneficiaries: CountingFromZero | None = None
    annual_capacity: Weight | None = None
    community_fund_id: Id | None = None
    statuses: Annotated[tuple[Status, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    support_periods: Annotated[tuple[DateRange, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    signing_keys: Annotated[tuple[SigningKey, ...], Field(max_length=SIGNING_KEYS_MAX)] = ()
    """Public keys of a refiner, by days; several at once where one follows another."""
    signature_required: bool = Field(default=False, strict=True)
    """True where a refiner's sales are taken only with a valid signature (`ce_signature`)."""

    @field_validator("signing_keys")
    @classmethod
    def _each_key_once(cls, keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
        for row, key in enumerate(keys):
            if any(key.key_id == earlier.key_id for earlier in keys[:row]):
                refuse_member("duplicate", "is the id of a key before", row, "key_id")
            if any(key.public_key == earlier.public_key for earlier in keys[:row]):
                refuse_member("duplicate", "is a key before, under another id", row, "public_key")
        return keys

    @field_validator("signature_required", "signing_keys")
    @classmethod
    def _only_refiners_sign(cls, value: bool | tuple[SigningKey, ...], info: ValidationInfo) -> bool | tuple[SigningKey, ...]:
        if value and info.data.get("kind", "refiner") != "refiner":
            raise PydanticCustomError("kind", "is for refiners only: they publish sales")
        return value

    @field_validator("statuses")
    @classmethod
    def _one_status_a_day(cls, statuses: tuple[Status, ...]) -> tuple[Status, ...]:
        for row, status in enumerate(statuses):
            for earlier in statuses[:row]:
                if status.scheme == earlier.scheme and status.overlaps(earlier):
                    refuse_member("overlap", f"overlaps another status range of scheme {status.scheme}", row, "from")
        return statuses


class TaxId(Contract):
    """A tax number and the register it is from, such as RUC."""

    scheme: Text
    value: Text


class Address(Contract):
    """A postal address in the parts that ISO 20022 knows."""

    street: Text | None = None
    building_number: Text | None = None
    post_code: Text | None = None
    town: Text
    region: Text | None = None
    country: Country


class Contact(Contract):
    """A person or an office to write to."""

    name: Text
    role: Text | None = None
    email: Text | None = None
    phone: Text | None = None


class PaymentAccount(Contract):
    """A bank account as the file claims it. Claims verify nothing: only payout's own events do."""

    currency: Currency
    account: Text
    kind: Literal["current", "savings"] | None = None
    bic: Text | None = None
    bank_name: Text | None = None
    bank_town: Text | None = None
    bank_country: Country | None = None
    holder: Text
    verified_at: Moment | None = None


class DebtorAccount(Contract):
    """The account that the programme pays from: an IBAN or another number."""

    currency: Currency
    account: Text
    bic: Text | None = None
    holder: Text
    bank_name: Text | None = None


class PrivateData(Contract):
    """What only payout and portal may read of an organization, or of the programme (its debtor account)."""

    tax_id: TaxId | None = None
    address: Address | None = None
    payment_accounts: Annotated[tuple[PaymentAccount, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    contacts: Annotated[tuple[Contact, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    debtor_account: DebtorAccount | None = None


class MinimumPayout(Contract):
    """Below this a payable is carried over."""

    currency: Currency
    amount: NonNegativeDecimal


class Actor(Contract):
    """A person who may act, and in which roles."""

    id: Id
    name: Text
    roles: Annotated[tuple[ActorRole, ...], Field(min_length=1)]


class Programme(Contract):
    """What is public of the programme. `calendar` names the country whose bank holidays count."""

    id: Id
    name: Text
    synthetic: bool = Field(default=False, strict=True)
    minimum_payouts: Annotated[tuple[MinimumPayout, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    actors: Annotated[tuple[Actor, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    calendar: Country | None = None
    provisional_payer_id: Id | None = None

    @field_validator("minimum_payouts")
    @classmethod
    def _one_minimum_a_currency(cls, minimums: tuple[MinimumPayout, ...]) -> tuple[MinimumPayout, ...]:
        for row, minimum in enumerate(minimums):
            if any(minimum.currency == earlier.currency for earlier in minimums[:row]):
                refuse_member("duplicate", "is the second minimum in this currency", row, "currency")
        return minimums

    @field_validator("actors")
    @classmethod
    def _each_actor_once(cls, actors: tuple[Actor, ...]) -> tuple[Actor, ...]:
        for row, actor in enumerate(actors):
            if any(actor.id == earlier.id for earlier in actors[:row]):
                refuse_member("duplicate", "is the id of an actor before", row, "id")
        return actors

    def gives(self, actor_id: str, role: ActorRole) -> bool:
        """Whether the list gives the actor this role."""
        return any(actor.id == actor_id and role in actor.roles for actor in self.actors)


# --- the file ---------------------------------------------------------------------------------------------------------


class OrganizationEntry(Organization):
    """An organization as the registry file has it: public and private together."""

    tax_id: TaxId | None = None
    address: Address | None = None
    payment_accounts: Annotated[tuple[PaymentAccount, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()
    contacts: Annotated[tuple[Contact, ...], Field(max_length=LIST_ENTRIES_MAX)] = ()


class ProgrammeEntry(Programme):
    """The programme as the registry file has it."""

    debtor_account: DebtorAccount | None = None


class RegistryFile(Contract):
    """The whole registry file of a programme."""

    programme: ProgrammeEntry | None = None
    organizations: tuple[OrganizationEntry, ...]

    @field_validator("organizations")
    @classmethod
    def _each_organization_once(cls, organizations: tuple[OrganizationEntry, ...]) -> tuple[OrganizationEntry, ...]:
        seen = set()
        for row, organization in enumerate(organizations):
            if organization.id in seen:
                refuse_member("duplicate", REPEATED_ID, row, "id")
            seen.add(organization.id)
        return organizations

    @model_validator(mode="after")
    def _programme_is_no_organization(self) -> RegistryFile:
        # Private data of both lie under their ids.
        if self.programme is not None and any(self.programme.id == organization.id for organization in self.organizations):
            refuse_member("duplicate", "is the id of an organization too: take another", "programme", "id")
        return self


# --- the events of registry.v1 and registry.private.v1 ----------------------------------------------------------------


class _Record(Contract):
    apply_id: UUID
    id: Id

    @property
    def key(self) -> str:
        """Key of the Kafka record."""
        return f"{getattr(self, 'kind')}/{self.id}"  # noqa: B009  each subclass has its own literal kind


class ProgrammeRecord(_Record):
    """The programme as of one apply; without body it is gone."""

    kind: Literal["programme"] = "programme"
    body: Programme | None


class OrganizationRecord(_Record):
    """An organization as of one apply; without body it is gone."""

    kind: Literal["organization"] = "organization"
    body: Organization | None


class SchemeRecord(_Record):
    """A version of a scheme as of one apply, id `scheme_id@version`; without body it is gone."""

    kind: Literal["scheme"] = "scheme"
    body: Scheme | None


RegistryRecord = Annotated[ProgrammeRecord | OrganizationRecord | SchemeRecord, Field(discriminator="kind")]
REGISTRY_RECORD: Final[TypeAdapter[ProgrammeRecord | OrganizationRecord | SchemeRecord]] = TypeAdapter(RegistryRecord)


class RegistryMarker(Contract):
    """The end of an apply: `count` records made `previous_version` into `version`."""

    apply_id: UUID
    previous_version: PayloadHash | None
    version: PayloadHash
    count: CountingFromZero

    @property
    def key(self) -> str:
        """Key of the Kafka record."""
        return f"marker/{self.apply_id}"


class PrivateRecord(Contract):
    """The private data of one organization (or, under its id, of the programme); without body there is none any more."""

    apply_id: UUID
    organization_id: Id
    body: PrivateData | None

    @property
    def key(self) -> str:
        """Key of the Kafka record."""
        return self.organization_id
