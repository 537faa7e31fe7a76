"""Who may receive what."""

from gateway import typepattern
from gateway.contracts import Catalogue, Classification
from gateway.identity import Action, Directory


def may_receive(organisation: str, types: str, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether an organisation may receive an event type, or all that ever falls under a pattern.

    Its own namespace, what a grant covers, and single types that are its own or public. A pattern
    over public types is not enough: a confidential type may join them tomorrow.
    """
    home = directory.organisations.get(organisation)
    given = [
        grant.type
        for grant in directory.grants
        if grant.organisation == organisation and grant.action is Action.SUBSCRIBE
    ]
    if home is not None:
        given.append(home.namespace)
    if any(typepattern.covers(pattern, types) for pattern in given):
        return True
    contract = catalogue.contract(types)
    return contract is not None and (
        contract.owner == organisation or contract.classification is Classification.PUBLIC
    )
