"""Named data sets, whole and resident on the device, and their endless streams of batches."""

from gennotes.data.batches import Batch, Batches, Images
from gennotes.data.errors import DataError
from gennotes.data.mixtures import Mixture, MixtureBatches, toy
from gennotes.data.pairs import PairBatch, PairBatches, Pairs, PairSet, pairs
from gennotes.data.sets import ImageSet, load

__all__ = [
    "Batch",
    "Batches",
    "DataError",
    "ImageSet",
    "Images",
    "Mixture",
    "MixtureBatches",
    "PairBatch",
    "PairBatches",
    "PairSet",
    "Pairs",
    "load",
    "pairs",
    "toy",
]
