"""Label selectors, as apimachinery defines them."""

from collections.abc import Mapping
from typing import Any

from serinus_agents.problems import BadObject

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def checked(selector: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a selector.

    Raises:
        BadObject: an operator that the API does not know.
    """
    for term in selector.get("matchExpressions") or []:
        if term["operator"] not in OPERATORS:
            raise BadObject(f"selector operator {term['operator']!r} is none of {', '.join(OPERATORS)}")
    return selector


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether labels satisfy every term of a checked selector. The empty selector matches everything."""
    exact = selector.get("matchLabels") or {}
    terms = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _holds(term, labels) for term in terms
    )


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = term["key"], term.get("values") or []
    match term["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":  # an absent key is not in the list either
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
