"""Who may receive what."""

from gateway.contracts import Catalogue, Classification, Pattern
from gateway.errors import Forbidden
from gateway.identity import Directory
from gateway.subscriptions import Subscription


def may_receive(organisation: str, types: str, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether an organisation may receive an event type, or all that ever falls under a pattern.

    Its own namespace, what a grant covers, and single types that are its own or public. A pattern
    over public types is not enough: a confidential type may join them tomorrow. Requests are for
    their one responder, however public they are.
    """
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


def require_right(subscription: Subscription, directory: Directory, catalogue: Catalogue) -> None:
    """Raises Forbidden where its organisation may not receive all of its types any more."""
    for types in subscription.types:
        if not may_receive(subscription.organisation, types, directory, catalogue):
            raise Forbidden(
                f"the right to receive {types} was withdrawn: ask its owner for a grant"
            )


def pattern_of(subscription: Subscription) -> Pattern:
    """How what a subscription is to receive travels."""
    return Pattern.of(point_to_point=subscription.point_to_point, answers=subscription.answers)
