"""Who may do and see what: one function per question.

Other rooms and routes ask here and decide nothing about roles and organisations themselves. Rules
that also need contracts or subscriptions stay in the rooms that know these (`permissions.py` of
contracts and of subscriptions) and ask here about the rest.

Where a function returns an organisation, None means every organisation.
"""

from gateway.base import type_pattern
from gateway.base.errors import Forbidden
from gateway.identity.values import Client, Role, namespace

CLIENT_READERS = (Role.ADMIN, Role.AUDITOR)
SUBSCRIPTION_READERS = (Role.SUBSCRIBER, Role.AUDITOR, Role.ADMIN)
REFUSAL_READERS = (Role.PUBLISHER, Role.AUDITOR, Role.ADMIN)
RETENTION_READERS = (Role.AUDITOR, Role.ADMIN)
DEAD_LETTER_EDITORS = (Role.SUBSCRIBER, Role.ADMIN)


def manages(by: Client, organisation: str) -> bool:
    """Whether the affairs of an organisation are in a client's reach: its own, or the operator's.

    What it may do there is up to its roles.
    """
    return by.operator or by.organisation == organisation


def require_operator(by: Client, *roles: Role) -> None:
    """Raises Forbidden unless the client is the operator's and holds one of these roles."""
    by.require(*roles)
    if not by.operator:
        raise Forbidden("This is reserved for the operator of the bus.")


def require_administrator_of(by: Client, owner: str) -> None:
    """Raises Forbidden unless the client administrates this owner of contracts, or the bus."""
    by.require(Role.ADMIN)
    if not manages(by, owner):
        raise Forbidden(f"Only an administrator of {owner} may change its contracts.")


def require_auditor_of(by: Client, owner: str) -> None:
    """Raises Forbidden unless the client audits or administrates this owner, or the bus."""
    by.require(Role.ADMIN, Role.AUDITOR)
    if not manages(by, owner):
        raise Forbidden(f"Only auditors and administrators of {owner} may read this.")


def require_member_or_overseer(by: Client, organisation: str) -> None:
    """Raises Forbidden unless the client belongs to the organisation, or oversees the bus."""
    if by.organisation != organisation and not _oversees_bus(by):
        raise Forbidden("Only this organisation and the operator's auditors may read this.")


def may_grant(by: Client, type: str) -> bool:
    """Whether a client may give others rights to a type or pattern, where it is administrator."""
    return by.operator or type_pattern.covers(namespace(by.organisation), type)


def visible_organisation(by: Client) -> str | None:
    """The organisation whose subscriptions, redrives and refusals a client may list."""
    return None if _oversees_bus(by) else by.organisation


def visible_deliveries(by: Client, sender: str) -> str | None:
    """The organisation whose deliveries of an event a client may see; `sender` published it."""
    return None if _oversees_bus(by) or by.organisation == sender else by.organisation


def visible_dead_letters(by: Client) -> tuple[str | None, str | None]:
    """The dead letters that a client may see: by their subscriber, and by their publisher.

    A dead letter is visible if one of the two fits. The empty name fits no organisation.
    """
    if _oversees_bus(by):
        return None, None
    receives = by.has(Role.SUBSCRIBER, Role.AUDITOR, Role.ADMIN)
    publishes = by.has(Role.PUBLISHER, Role.AUDITOR, Role.ADMIN)
    return by.organisation if receives else "", by.organisation if publishes else ""


def may_see_dead_letter(by: Client, *, subscriber: str, publisher: str | None) -> bool:
    """Whether a client may see one dead letter."""
    visible = visible_dead_letters(by)
    return visible == (None, None) or subscriber == visible[0] or publisher == visible[1]


def redrivable_organisation(by: Client) -> str | None:
    """The organisation whose dead letters a client with DEAD_LETTER_EDITORS may settle."""
    return None if by.operator and by.has(Role.ADMIN) else by.organisation


def may_settle_dead_letter(by: Client, subscriber: str) -> bool:
    """Whether a client with DEAD_LETTER_EDITORS may redrive or discard a dead letter."""
    return redrivable_organisation(by) in (None, subscriber)


def require_corrector(by: Client) -> None:
    """Raises Forbidden unless the client publishes: a resend is a new event."""
    if not by.has(Role.PUBLISHER):
        raise Forbidden(
            "A resend publishes a corrected event: it needs the role publisher and the right to "
            "publish the type. Ask the organisation that published the event (`publisher` of the "
            "dead letter)."
        )


def may_audit_events_of(by: Client, sender: str) -> bool:
    """Whether a client may know that events of a sender exist, without their data."""
    return by.has(Role.AUDITOR) and manages(by, sender)


def may_read_events_of(by: Client, sender: str) -> bool:
    """Whether a client may read what its own organisation has published or asked."""
    return by.organisation == sender and by.has(Role.PUBLISHER, Role.AUDITOR)


def may_read_delivery(by: Client, *, subscriber: str, publisher: str | None) -> bool:
    """Whether a client may read the event of a delivery: who receives it, and who published it.

    Administrators, and the operator, may know of a delivery without reading its event.
    """
    receives = by.organisation == subscriber and by.has(Role.SUBSCRIBER, Role.AUDITOR)
    return receives or (publisher is not None and may_read_events_of(by, publisher))


def may_read_reply(by: Client, *, responder: str, requester: str) -> bool:
    """Whether a client may read a reply: responder and requester may."""
    return by.organisation in (responder, requester) and by.has(
        Role.PUBLISHER, Role.SUBSCRIBER, Role.AUDITOR
    )


def audits_bus(by: Client) -> bool:
    """Whether a client may look at the requests of everybody, without their data."""
    return by.operator and by.has(Role.AUDITOR)


def _oversees_bus(by: Client) -> bool:
    return by.operator and by.has(Role.AUDITOR, Role.ADMIN)
