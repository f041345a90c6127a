"""The one exception that contracts raise."""


class ContractError(ValueError):
    """A document does not keep the contract. The message names the place (a JSON path) and the cure."""
