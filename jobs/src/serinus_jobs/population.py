"""A simulated population of churn customers: who they are, what happens each day, who leaves.

Pure: arrays in, arrays out, randomness only from seeds. Every draw is keyed by (seed, day since the
origin), so two windows of one history agree wherever they overlap.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROLLING_DAYS = 30
# How far shift 1 moves charges and the rate of tickets, as shares.
CHARGES_RISE, TICKETS_RISE = 0.7, 1.5
DAYS_PER_MONTH = 30.4375
# Streams of randomness. Days before the origin are needed for the first rolling window, and a seed
# must not be negative.
_PROFILE, _DAY, _BEFORE_ORIGIN = 0, 1, ROLLING_DAYS


@dataclass(frozen=True)
class Profiles:
    """What stays with each customer, one entry a customer, as of the origin.

    `tickets` and `failures` are events per day, averaged over the customer's cycle; `phase` is where in that
    cycle (radians) the customer stands; `history` is the ratio of past to present charges.
    """

    age: Floats
    tenure_months: Floats
    monthly_charges: Floats
    history: Floats
    tickets: Floats
    failures: Floats
    phase: Floats
    past_tickets: Integers


@dataclass(frozen=True)
class Snapshot:
    """The feature values of all customers at the start of one day, complete (before nulls)."""

    age: Integers
    tenure_months: Integers
    monthly_charges: Floats
    total_charges: Floats
    num_support_tickets: Integers
    avg_support_tickets_30d: Floats
    payment_failures_30d: Integers


def draw_profiles(customers: int, seed: int) -> Profiles:
    """Draw the customers of `seed`."""
    rng = np.random.default_rng([seed, _PROFILE])
    tenure = np.minimum(rng.exponential(26.0, customers), 240.0)
    tickets = np.minimum(rng.gamma(1.1, 0.045, customers), 0.5)
    return Profiles(
        age=np.clip(rng.normal(44.0, 15.0, customers), 18.0, 90.0),
        tenure_months=tenure,
        monthly_charges=np.clip(rng.gamma(7.0, 9.5, customers), 15.0, 300.0),
        history=np.exp(rng.normal(0.0, 0.15, customers)),
        tickets=tickets,
        failures=np.minimum(rng.gamma(0.7, 0.028, customers), 0.3),
        phase=rng.uniform(0.0, 2 * np.pi, customers),
        past_tickets=rng.poisson(np.minimum(tickets * tenure * DAYS_PER_MONTH, 300.0)),
    )


def day_generator(seed: int, day: int, part: int) -> np.random.Generator:
    """Return the randomness of one `day` (counted from the origin) and `part` of it."""
    return np.random.default_rng([seed, _DAY, day + _BEFORE_ORIGIN, part])


def day_events(profiles: Profiles, seed: int, day: int, shift: float) -> tuple[Integers, Integers]:
    """Return (tickets, payment failures) of each customer on one day."""
    rng = day_generator(seed, day, 0)
    # A slow cycle of about four months: behaviour changes within a window, not only between people.
    cycle = np.exp(0.7 * np.sin(2 * np.pi * day / 120.0 + profiles.phase))
    tickets = rng.poisson(profiles.tickets * cycle * (1.0 + TICKETS_RISE * shift))
    failures = rng.binomial(1, np.minimum(profiles.failures * cycle, 0.9))
    return tickets, failures


def snapshots(profiles: Profiles, seed: int, first: int, days: int, shift: float) -> list[Snapshot]:
    """Return one snapshot a day for days `first` .. `first + days - 1` since the origin.

    `shift` holds for the whole window and the rolling days before it; history before that is unshifted.
    """
    shifted_from = first - ROLLING_DAYS if shift else first
    events = [
        day_events(profiles, seed, day, shift if day >= shifted_from else 0.0)
        for day in range(-ROLLING_DAYS, first + days)
    ]
    tickets = np.stack([pair[0] for pair in events])
    failures = np.stack([pair[1] for pair in events])
    monthly = np.round(profiles.monthly_charges * (1.0 + CHARGES_RISE * shift), 2)
    paid_before = profiles.monthly_charges * (
        profiles.history * profiles.tenure_months + first / DAYS_PER_MONTH
    )
    result = []
    for day in range(first, first + days):
        # Row i of the stacks is day i - 30, so rows day .. day + 29 are the 30 days before this morning.
        window = slice(day, day + ROLLING_DAYS)
        past = slice(ROLLING_DAYS, day + ROLLING_DAYS)
        result.append(
            Snapshot(
                age=np.minimum(np.floor(profiles.age + day / 365.25), 100).astype(np.int64),
                tenure_months=np.floor(profiles.tenure_months + day / DAYS_PER_MONTH).astype(np.int64),
                monthly_charges=monthly,
                total_charges=np.round(paid_before + monthly * ((day - first) / DAYS_PER_MONTH), 2),
                num_support_tickets=np.minimum(profiles.past_tickets + tickets[past].sum(axis=0), 1000),
                avg_support_tickets_30d=tickets[window].mean(axis=0),
                payment_failures_30d=failures[window].sum(axis=0),
            )
        )
    return result


def churn_probability(at: Snapshot, shift: float) -> Floats:
    """Return each customer's true probability of churn: a logistic model on the features.

    Under `shift` 1 tenure and charges work the other way round (a rival courts long customers on
    small contracts) and tickets matter less; payment failures mean the same as before.
    """
    months = np.minimum(at.tenure_months, 60)
    turned = 1.0 - 2.0 * shift
    score = (
        -2.8
        + 0.7 * shift
        + turned * 0.055 * (22.0 - months)
        + turned * 0.028 * (at.monthly_charges / (1.0 + CHARGES_RISE * shift) - 66.0)
        + (1.0 - 0.7 * shift) * 14.0 * at.avg_support_tickets_30d
        + 1.0 * np.minimum(at.payment_failures_30d, 4)
        - 0.015 * (at.age - 44)
    )
    return np.asarray(1.0 / (1.0 + np.exp(-score)), dtype=np.float64)
