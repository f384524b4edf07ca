"""When the demo chain sells: the bookshop's year, its week and its day, as relative weights.

The lunar new year's dates are facts of the Chinese calendar for the years the demo may be loaded
in; outside the table the year simply has no Spring Festival. Shops close on no day, so every day
weighs something.
"""

from datetime import date, time, timedelta
from itertools import accumulate
from random import Random

from app.demo.values import DemoStore, OpenInterval

WINDOW_DAYS = 364

LUNAR_NEW_YEARS: tuple[date, ...] = (
    date(2024, 2, 10),
    date(2025, 1, 29),
    date(2026, 2, 17),
    date(2027, 2, 6),
    date(2028, 1, 26),
    date(2029, 2, 13),
    date(2030, 2, 3),
    date(2031, 1, 23),
    date(2032, 2, 11),
)

# Monday first: the weekend sells about half as much again.
_WEEKDAY_FACTORS = (0.86, 0.84, 0.88, 0.90, 1.06, 1.50, 1.42)

# (month, day) from, to, both included, and the factor; the first that fits counts.
_SEASONS: tuple[tuple[tuple[int, int], tuple[int, int], float], ...] = (
    ((2, 20), (3, 12), 1.80),  # spring term starts
    ((4, 20), (4, 24), 1.40),  # reading day
    ((5, 26), (6, 2), 1.90),  # children's day
    ((6, 3), (6, 30), 1.55),  # exams end, summer reading lists
    ((7, 1), (8, 24), 1.05),
    ((8, 25), (9, 18), 2.00),  # autumn term starts
    ((9, 19), (9, 30), 1.35),
    ((10, 1), (10, 7), 1.15),  # national holiday
    ((11, 1), (11, 10), 1.20),
    ((11, 11), (11, 11), 2.60),  # the November sale
    ((12, 20), (12, 31), 1.10),
)
_OTHERWISE = 0.85

# Clock hour to weight; a shop's hours cut out what it is open for.
_HOUR_WEIGHTS = (
    *(0.10, 0.05, 0.03, 0.02, 0.02, 0.04, 0.10, 0.25, 0.60, 1.20, 1.60, 1.40),
    *(1.00, 1.00, 1.30, 1.50, 1.80, 2.00, 1.90, 1.80, 1.50, 0.90, 0.50, 0.25),
)
_SECONDS_OF_DAY = 86_400


def _spring_festival_factor(day: date) -> float:
    """Return what the festival does to a day: quiet on the eve, gift money in the fortnight."""
    for new_year in LUNAR_NEW_YEARS:
        distance = (day - new_year).days
        if distance in (-1, 0):
            return 0.45
        if -8 <= distance < -1:
            return 1.15
        if 0 < distance <= 15:
            return 1.50
    return 1.0


def day_weight(day: date) -> float:
    """Return how busy a day is, 1 being about an ordinary weekday's trade."""
    month_day = (day.month, day.day)
    season = next((f for first, last, f in _SEASONS if first <= month_day <= last), _OTHERWISE)
    return season * _spring_festival_factor(day) * _WEEKDAY_FACTORS[day.weekday()]


def is_term_start(day: date) -> bool:
    """Tell whether school books sell best now."""
    month_day = (day.month, day.day)
    return (2, 20) <= month_day <= (3, 12) or (8, 25) <= month_day <= (9, 18)


class Calendar:
    """The days a demo chain has traded: `days[0]` is the first, `days[-1]` the eve of the load."""

    __slots__ = ("_cumulative", "days")

    def __init__(self, load_day: date) -> None:
        self.days = tuple(load_day - timedelta(days=back) for back in range(WINDOW_DAYS, 0, -1))
        self._cumulative = [0.0, *accumulate(day_weight(day) for day in self.days)]

    def draw(self, rng: Random, count: int, first: int, last: int) -> list[int]:
        """Draw the indexes of `count` days between two indexes, both allowed, in order.

        No day comes more than twice, as long as there are days enough.
        """
        population = range(first, last + 1)
        weights = [self._cumulative[index + 1] - self._cumulative[first] for index in population]
        drawn: list[int] = []
        for index in rng.choices(population, cum_weights=weights, k=count):
            while drawn.count(index) >= 2 and 2 * len(population) >= count:
                index = rng.choice(population)
            drawn.append(index)
        return sorted(drawn)


def open_intervals(store: DemoStore, day: date) -> tuple[tuple[int, int], ...]:
    """Return a day's opening hours in seconds after midnight, the closing second excluded."""
    return tuple(_in_seconds(interval) for interval in store.opening_hours[day.weekday()])


def _in_seconds(interval: OpenInterval) -> tuple[int, int]:
    opens, closes = interval
    return _second(opens), _second(closes) or _SECONDS_OF_DAY


def _second(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def draw_second(rng: Random, store: DemoStore, day: date) -> int:
    """Draw the second of the day a receipt is printed at, while the store is open."""
    intervals = open_intervals(store, day)
    while True:
        hour = rng.choices(range(24), cum_weights=_HOUR_CUMULATIVE)[0]
        second = hour * 3600 + rng.randrange(3600)
        if any(opens <= second < closes for opens, closes in intervals):
            return second


_HOUR_CUMULATIVE = tuple(accumulate(_HOUR_WEIGHTS))
