"""Which events an organisation may receive, and a client may see."""

from collections.abc import Sequence

from gateway.base import type_pattern
from gateway.base.errors import Forbidden, Invalid
from gateway.base.event import REQUESTED_BY
from gateway.base.type_pattern import is_reply, request_type
from gateway.contracts import Catalogue, Classification, Pattern
from gateway.identity import Client, Directory, Role, policy
from gateway.journal import Entry
from gateway.subscriptions import Subscription


def may_receive(organisation: str, types: str, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether an organisation may receive an event type, or every type that a pattern will match.

    That is its own namespace, types that a grant covers, and single types that are its own or
    public. A pattern over public types is not enough: a confidential type may come under it later.
    Requests are for their one responder, even public ones; replies are for organisations that may
    send the request.
    """
    if is_reply(types):
        return _may_send_request(organisation, request_type(types), directory, catalogue)
    if directory.may_receive(organisation, types):
        return True
    contract = catalogue.contract(types)
    return contract is not None and (
        contract.owner == organisation
        or (
            contract.classification is Classification.PUBLIC
            and contract.pattern is not Pattern.REQUEST_REPLY
        )
    )


def may_see_entry(by: Client, entry: Entry, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether a client may know that an event exists."""
    return policy.may_audit_events_of(by, entry.publisher) or may_read_entry(
        by, entry, directory, catalogue
    )


def may_read_entry(by: Client, entry: Entry, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether a client may read an event: its sender, and subscribers that may receive its type.

    A reply is for its responder and its requester alone.
    """
    publisher, event = entry.publisher, entry.event
    if policy.may_read_events_of(by, publisher):
        return True
    if is_reply(event.type):
        requester = str(event.attributes.get(REQUESTED_BY, ""))
        return policy.may_read_reply(by, responder=publisher, requester=requester)
    return by.has(Role.SUBSCRIBER) and may_receive(
        by.organisation, event.type, directory, catalogue
    )


def pattern_of_types(
    organisation: str, types: Sequence[str], directory: Directory, catalogue: Catalogue
) -> Pattern:
    """The one pattern of the types of a subscription.

    Raises Forbidden for types that the organisation may not receive, Invalid for types that need
    subscriptions of their own.
    """
    for each in types:
        type_pattern.words_of(each)
        if not may_receive(organisation, each, directory, catalogue):
            raise Forbidden(_why_not(each))
    contracts = [catalogue.contract(each) for each in types if not _has_no_contract(each)]
    if any(contract is None for contract in contracts):
        raise Invalid("One of these types has no contract.", pointer="/types")
    patterns = {contract.pattern for contract in contracts if contract is not None}
    if len(contracts) < len(types):
        patterns.add(Pattern.PUBLISH_SUBSCRIBE)
    if len(patterns) > 1 or len({is_reply(each) for each in types}) > 1:
        raise Invalid(
            "Point-to-point types, requests and replies need subscriptions of their own, without "
            "patterns.",
            pointer="/types",
        )
    return patterns.pop()


def _has_no_contract(types: str) -> bool:
    """Whether this is a reply type or a pattern, which have no contract of their own."""
    return is_reply(types) or type_pattern.ANY in types


def _why_not(types: str) -> str:
    if is_reply(types):
        return (
            f"You may not receive {types}. Replies are for organisations that may send the "
            "request: ask its owner for a grant to publish it."
        )
    return (
        f"You may not receive {types}. Name single types, or ask their owner for a grant. A "
        "pattern needs a grant that covers all of it."
    )


def _may_send_request(
    organisation: str, type: str, directory: Directory, catalogue: Catalogue
) -> bool:
    contract = catalogue.contract(type)
    return (
        contract is not None
        and contract.pattern is Pattern.REQUEST_REPLY
        and directory.may_send(organisation, type, contract.owner)
    )


def require_right(subscription: Subscription, directory: Directory, catalogue: Catalogue) -> None:
    """Raises Forbidden if its organisation may not receive all of its types any more."""
    for types in subscription.types:
        if not may_receive(subscription.organisation, types, directory, catalogue):
            raise Forbidden(
                f"The right to receive {types} was withdrawn. Ask its owner for a grant."
            )
