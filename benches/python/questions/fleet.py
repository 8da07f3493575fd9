"""The devices: how often each sends, where it stands, and how the moving ones move."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

DEVICES = 100_000
ZIPF = 1.1
MOVING_SHARE = 0.2
# Homes spread around their city by this many degrees (standard deviation); trips are at most twice as long.
SPREAD_DEGREES = 0.08
# GPS receivers send five decimals: about a metre.
DECIMALS = 5

CITIES = (
    ("London", 51.507, -0.128), ("Paris", 48.857, 2.352), ("Berlin", 52.520, 13.405), ("Madrid", 40.417, -3.704),
    ("Rome", 41.903, 12.496), ("Vienna", 48.208, 16.374), ("Warsaw", 52.230, 21.012), ("Stockholm", 59.329, 18.069),
    ("Oslo", 59.914, 10.752), ("Helsinki", 60.170, 24.938), ("Athens", 37.984, 23.728), ("Istanbul", 41.008, 28.978),
    ("Cairo", 30.044, 31.236), ("Lagos", 6.524, 3.379), ("Nairobi", -1.292, 36.822), ("Johannesburg", -26.204, 28.047),
    ("Dubai", 25.205, 55.271), ("Karachi", 24.861, 67.010), ("Delhi", 28.614, 77.209), ("Mumbai", 19.076, 72.878),
    ("Dhaka", 23.811, 90.413), ("Bangkok", 13.756, 100.502), ("Singapore", 1.352, 103.820), ("Jakarta", -6.209, 106.846),
    ("Manila", 14.600, 120.984), ("Hong Kong", 22.319, 114.169), ("Shanghai", 31.230, 121.474), ("Beijing", 39.904, 116.407),
    ("Seoul", 37.567, 126.978), ("Tokyo", 35.676, 139.650), ("Sydney", -33.869, 151.209), ("Auckland", -36.848, 174.763),
    ("Anchorage", 61.218, -149.900), ("Los Angeles", 34.052, -118.244), ("Mexico City", 19.433, -99.133),
    ("Chicago", 41.878, -87.630), ("New York", 40.713, -74.006), ("Bogota", 4.711, -74.072),
    ("Sao Paulo", -23.551, -46.633), ("Buenos Aires", -34.604, -58.382),
)  # fmt: skip


class Fleet:
    """All devices of a seed. A device is its index into `names`; popularity has nothing to do with the order of names."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.names = pa.array([f"device-{number:06}" for number in range(DEVICES)])
        weights = np.arange(1, DEVICES + 1) ** -ZIPF
        self._cumulated = np.cumsum(weights) / weights.sum()
        # Devices from the one that sends most to the one that sends least.
        self.by_rank = rng.permutation(DEVICES).astype(np.int32)
        city = rng.integers(len(CITIES), size=DEVICES)
        self._latitude = np.array([place[1] for place in CITIES])[city] + rng.normal(0, SPREAD_DEGREES, DEVICES)
        self._longitude = np.array([place[2] for place in CITIES])[city] + rng.normal(0, SPREAD_DEGREES, DEVICES)
        moving = rng.random(DEVICES) < MOVING_SHARE
        self._reach = np.where(moving, rng.uniform(0.2, 2.0, DEVICES) * SPREAD_DEGREES, 0.0)
        self._period = rng.uniform(0.5, 6.0, DEVICES) * 3_600e6
        self._phase = rng.uniform(0, 2 * np.pi, DEVICES)

    def pick(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Returns the devices of `count` events."""
        ranks = np.searchsorted(self._cumulated, rng.random(count))
        return self.by_rank[np.minimum(ranks, DEVICES - 1)]

    def name(self, rank: int) -> str:
        """Name of the device that sends most but `rank`."""
        return self.names[int(self.by_rank[rank])].as_py()

    def positions(self, devices: np.ndarray, micros: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes of `devices` at `micros` after the start: a moving one drives a loop round its home."""
        angle = self._phase[devices] + micros * (2 * np.pi) / self._period[devices]
        reach = self._reach[devices]
        latitudes = self._latitude[devices] + reach * np.sin(angle)
        longitudes = self._longitude[devices] + reach * np.cos(angle * 0.5) * 1.5
        return np.round(latitudes, DECIMALS), np.round(longitudes, DECIMALS)
